//! Weights of half precision.

use mote_compress::{Bits, Error, Ports, fidelity, halve, prune, quantize};
use mote_format::{Array, Dtype, Tensors, Verified, container::f16, program::Unary};

use crate::net::{Net, found, samples};

fn network() -> (Verified, Tensors) {
    let mut net = Net::new(&[8, 6]);
    let a = net.conv(mote_format::ValueId(0), 24, 1, Some(Unary::Silu));
    let y = net.linear(a, 6);
    net.finish(y)
}

/// The program computes exactly what it would with the rounded numbers in single precision.
#[test]
fn weights_take_half_and_are_read_as_what_they_are() {
    let (program, tensors) = network();
    let (half, made) = halve(&program, &found(&tensors)).unwrap();
    let mut rounded = tensors.clone();
    for (name, array) in &mut rounded {
        let (before, after) = (array.tensor(), made[name].tensor());
        if after.dtype == Dtype::F16 {
            assert_eq!(2 * after.bytes.len(), before.bytes.len(), "{name}");
            *array = Array::new(before.shape.clone(), &after.reals().unwrap());
        } else {
            assert_eq!((before.shape.len(), before.bytes), (1, after.bytes), "{name} is a bias");
        }
    }
    let ports = Ports::default();
    let (rounded, made) = (found(&rounded), found(&made));
    let same = fidelity((&program, &rounded), (&half, &made), &samples(9, 48, 3), &ports).unwrap();
    assert_eq!(same[0].largest_difference, 0.0);
    let tensors = found(&tensors);
    let near = fidelity((&program, &tensors), (&half, &made), &samples(9, 48, 3), &ports).unwrap();
    assert!(near[0].signal_to_noise_db > 60.0, "{near:?}");
}

#[test]
fn what_does_not_fit_stays_as_it_is() {
    let (program, mut tensors) = network();
    let name = "t0";
    let mut w = tensors[name].tensor().reals().unwrap();
    w[3] = 2.0 * f16::MAX.to_f32();
    let shape = tensors[name].tensor().shape.to_vec();
    tensors.insert(name.into(), Array::new(shape, &w));
    let (_, made) = halve(&program, &found(&tensors)).unwrap();
    assert_eq!(made[name], tensors[name]);
    assert!(made.values().any(|array| array.tensor().dtype == Dtype::F16), "the other does");
}

#[test]
fn no_pass_takes_what_is_narrow_already() {
    let (program, tensors) = network();
    let (half, made) = halve(&program, &found(&tensors)).unwrap();
    let (made, seen) = (found(&made), samples(9, 48, 3));
    let how = mote_compress::Pruning {
        share: 0.5,
        importance: mote_compress::Importance::Magnitude,
        spread: mote_compress::Spread::Uniform,
        multiple: 1,
        making_up: true,
    };
    let errors = [
        halve(&half, &made).unwrap_err(),
        quantize(&half, &made, &seen, Bits::Eight).unwrap_err(),
        prune(&half, &made, &seen, how).unwrap_err(),
    ];
    assert!(errors.iter().all(|e| matches!(e, Error::Quantized { at: 0, .. })), "{errors:?}");
}
