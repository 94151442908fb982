//! Damaged files are refused, however they are damaged, and nothing panics.

use mote_format::{Error, Model, container};
use proptest::{prelude::*, test_runner::Config};
use safetensors::SafeTensors;

use crate::{memory::check_peak, quantized, sample};

/// A model of real numbers and one of integers.
fn files() -> [Vec<u8>; 2] {
    [sample::file(), quantized::file()]
}

#[test]
fn refuses_every_truncation() {
    for file in files() {
        for n in 0..file.len() {
            let error = Model::open(&file[..n]).unwrap_err();
            assert!(matches!(error, Error::Length { .. } | Error::Digest { .. }), "{n}: {error}");
        }
    }
}

#[test]
fn refuses_every_flip_of_one_bit() {
    for mut file in files() {
        for bit in 0..8 * file.len() {
            file[bit / 8] ^= 1 << (bit % 8);
            assert!(Model::open(&file).is_err(), "bit {bit}");
            file[bit / 8] ^= 1 << (bit % 8);
        }
        assert!(Model::open(&file).is_ok(), "the flips were taken back");
    }
}

#[test]
fn refuses_every_byte_that_is_appended() {
    for byte in 0..=u8::MAX {
        assert!(Model::open(&[sample::file(), vec![byte]].concat()).is_err(), "{byte}");
    }
}

/// One way to damage a file; positions are shares of its length.
#[derive(Clone, Debug)]
enum Damage {
    Flip(f64, u8),
    Truncate(f64),
    Remove(f64, usize),
    Duplicate(f64, usize, f64),
    Insert(f64, Vec<u8>),
    /// Replaces the run of digits that is next.
    Number(f64, &'static str),
    /// Swaps two values of the header: what stands between one pair of commas with another.
    Swap(f64, f64),
}

/// What is worth inserting: the grammar of JSON, nesting, bytes that are not UTF-8.
const FRAGMENTS: [&[u8]; 14] = [
    b"{",
    b"}",
    b"[",
    b"]",
    b",",
    b"\"",
    b":",
    b"\\",
    b"null",
    b"\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]},",
    b"\xff",
    b"\xc3",
    b"\0",
    b"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[",
];

const NUMBERS: [&str; 12] = [
    "0",
    "1",
    "2",
    "4",
    "5",
    "268435456",
    "4294967295",
    "4294967296",
    "18446744073709551615",
    "18446744073709551616",
    "-1",
    "1e999",
];

fn damage() -> impl Strategy<Value = Damage> {
    let at = || 0.0..1.0f64;
    prop_oneof![
        (at(), 0..8u8).prop_map(|(at, bit)| Damage::Flip(at, bit)),
        at().prop_map(Damage::Truncate),
        (at(), 1..40usize).prop_map(|(at, n)| Damage::Remove(at, n)),
        (at(), 1..80usize, at()).prop_map(|(from, n, to)| Damage::Duplicate(from, n, to)),
        (at(), 0..FRAGMENTS.len()).prop_map(|(at, i)| Damage::Insert(at, FRAGMENTS[i].into())),
        (at(), prop::collection::vec(any::<u8>(), 1..9)).prop_map(|(at, b)| Damage::Insert(at, b)),
        (at(), 0..NUMBERS.len()).prop_map(|(at, i)| Damage::Number(at, NUMBERS[i])),
        (at(), at()).prop_map(|(a, b)| Damage::Swap(a, b)),
    ]
}

impl Damage {
    fn apply(&self, bytes: &mut Vec<u8>) {
        let n = bytes.len();
        let place = |at: f64| (at * n as f64) as usize;
        match self {
            Self::Flip(..) if n == 0 => {}
            Self::Flip(at, bit) => bytes[place(*at)] ^= 1 << bit,
            Self::Truncate(at) => bytes.truncate(place(*at)),
            Self::Remove(at, length) => {
                bytes.drain(place(*at)..(place(*at) + length).min(n));
            }
            Self::Duplicate(from, length, to) => {
                let copy = bytes[place(*from)..(place(*from) + length).min(n)].to_vec();
                bytes.splice(place(*to)..place(*to), copy);
            }
            Self::Insert(at, new) => {
                bytes.splice(place(*at)..place(*at), new.iter().copied());
            }
            Self::Number(at, number) => {
                let digit = |b: &u8| b.is_ascii_digit();
                let from = bytes[place(*at)..].iter().position(digit).map_or(n, |i| place(*at) + i);
                let length = bytes[from..].iter().take_while(|b| digit(b)).count();
                bytes.splice(from..from + length, number.bytes());
            }
            Self::Swap(a, b) => {
                let mut parts: Vec<&[u8]> = bytes.split(|&b| b == b',').collect();
                let part = |at: f64| (at * parts.len() as f64) as usize;
                let (a, b) = (part(*a), part(*b));
                parts.swap(a, b);
                *bytes = parts.join(&b',');
            }
        }
    }
}

/// The file of a header that was damaged, with a true length and a true digest.
fn with_damaged_header(file: &[u8], damages: &[Damage]) -> Vec<u8> {
    let length = u64::from_le_bytes(file[..8].try_into().unwrap()) as usize;
    let (mut header, data) = (file[8..8 + length].to_vec(), &file[8 + length..]);
    damages.iter().for_each(|damage| damage.apply(&mut header));
    sample::sealed(&header, data)
}

proptest! {
    #![proptest_config(Config::with_cases(10_000))]

    #[test]
    fn refuses_any_damage(damages in prop::collection::vec(damage(), 1..4)) {
        for whole in files() {
            let mut file = whole.clone();
            damages.iter().for_each(|damage| damage.apply(&mut file));
            if file != whole {
                prop_assert!(Model::open(&file).is_err());
            }
        }
    }

    /// Behind a digest that is right, so that every later check is reached. Some damage is none (a
    /// space in a name), hence what is accepted has to be what the `safetensors` crate accepts.
    #[test]
    fn reads_no_header_that_safetensors_refuses(damages in prop::collection::vec(damage(), 1..4)) {
        for file in files().map(|file| with_damaged_header(&file, &damages)) {
            check_peak(&file, file.len());
            if let Ok(ours) = container::parse(&file) {
                let theirs = SafeTensors::deserialize(&file).unwrap();
                prop_assert_eq!(theirs.len(), ours.tensors.len());
                for (name, tensor) in &ours.tensors {
                    let their = theirs.tensor(name).unwrap();
                    prop_assert_eq!(their.shape(), &tensor.shape[..]);
                    prop_assert_eq!(their.data(), tensor.bytes);
                }
            }
        }
    }
}

#[test]
fn some_damage_behind_a_true_digest_is_accepted_and_some_is_not() {
    let harmless = with_damaged_header(&sample::file(), &[Damage::Insert(0.999, vec![b' '])]);
    assert!(Model::open(&harmless).is_ok());
    let harmful = with_damaged_header(&sample::file(), &[Damage::Insert(0.999, vec![b'x'])]);
    assert!(matches!(Model::open(&harmful), Err(Error::Header { .. })));
}
