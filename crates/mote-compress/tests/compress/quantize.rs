//! Networks of every kind of layer, quantized: near the original, the same at every level, refused
//! where there is nothing to observe.

use mote_compress::{
    Bits, Clip, Error, Found, Ports, Rounding, Sample, Scheme, Shown, Width, fidelity, quantize,
};
use mote_format::{
    Array, Op, Tensors, ValueId, Verified,
    program::{Binary, Unary},
};
use mote_runtime::{Level, Loaded};

use crate::net::{Net, found, samples};

/// Convolutions with a residual branch, a delay by a constant, a transposed convolution and heads.
fn network() -> (Verified, Tensors) {
    let mut net = Net::new(&[24, 5]);
    let x = net.push(|y| Op::Affine { x: ValueId(0), y, scale: 0.7, offset: 0.1 });
    let first = net.tensor(&[1, 5], 1.0);
    let late = net.push(|y| Op::Slice { x, y, axis: 0, start: 0, end: 23 });
    let delayed = net.push(|y| Op::Concat { xs: vec![first, late], y, axis: 0 });
    let a = net.conv(delayed, 32, 1, Some(Unary::Relu));
    let b = net.conv(a, 32, 2, Some(Unary::Tanh));
    let c = net.push(|y| Op::Binary { a, b, y, f: Binary::Add });
    let w = net.tensor(&[4, 16, 32], 0.2);
    let up = net.push(|y| Op::ConvTranspose1d {
        x: c,
        w,
        bias: None,
        y,
        stride: 2,
        trim: [1, 1],
        activation: Some(Unary::Silu),
    });
    let head = net.linear(up, 6);
    let y = net.push(|y| Op::Unary { x: head, y, f: Unary::Square });
    net.finish(y)
}

#[track_caller]
fn check(bits: Bits, wanted_db: f64) {
    let (program, tensors) = network();
    let tensors = found(&tensors);
    let (small, made) = quantize(&program, &tensors, &samples(64, 120, 1), bits).unwrap();
    let small_tensors = found(&made);
    let held = samples(32, 120, 2);
    let near =
        fidelity((&program, &tensors), (&small, &small_tensors), &held, &Ports::default()).unwrap();
    assert!(near[0].signal_to_noise_db > wanted_db, "{near:?}");
    let integer = |op: &&Op| op.name().starts_with("quantized");
    assert_eq!(small.ops.iter().filter(integer).count(), 5, "four layers and a sum");
    // Between the layers nothing is turned into real numbers and back.
    let crossings = |name| small.ops.iter().filter(|op| op.name() == name).count();
    assert_eq!((crossings("quantize"), crossings("dequantize")), (1, 0), "{:#?}", small.ops);

    let run = |level| {
        let loaded = Loaded::from_parts(level, &small, &small_tensors).unwrap();
        let mut instance = loaded.instance();
        instance.input(small.input("x").unwrap()).copy_from_slice(&held[0][0]);
        instance.run();
        instance.output(small.output("y").unwrap()).to_vec()
    };
    let plain = run(Level::Plain);
    Level::available().for_each(|level| assert_eq!(run(level), plain, "{}", level.name()));
}

#[test]
fn eight_bits_keep_a_network_within_a_percent() {
    check(Bits::Eight, 33.0);
}

#[test]
fn four_bits_in_groups_keep_its_shape() {
    check(Bits::Four, 15.0);
}

#[test]
fn weights_take_a_quarter_and_an_eighth() {
    let mut net = Net::new(&[256]);
    let hidden = net.linear(ValueId(0), 256);
    let y = net.linear(hidden, 256);
    let (program, tensors) = net.finish(y);
    let tensors = found(&tensors);
    let bytes = |tensors: &Found<'_>| tensors.values().map(|t| t.bytes.len()).sum::<usize>();
    for (bits, share) in [(Bits::Eight, 0.27), (Bits::Four, 0.16)] {
        let (_, made) = quantize(&program, &tensors, &samples(4, 256, 1), bits).unwrap();
        let found = bytes(&found(&made)) as f64 / bytes(&tensors) as f64;
        assert!(found < share, "{bits:?}: {found}");
    }
}

#[test]
fn channels_without_weights_keep_their_bias() {
    let mut net = Net::new(&[8]);
    let hidden = net.linear(ValueId(0), 8);
    let y = net.linear(hidden, 3);
    let (program, mut tensors) = net.finish(y);
    tensors.insert("t2".into(), Array::new([3, 8], &[0.0f32; 24]));
    tensors.insert("t3".into(), Array::new([3], &[0.5f32, -40.0, 0.0]));
    let tensors = found(&tensors);
    let (small, made) = quantize(&program, &tensors, &samples(4, 8, 1), Bits::Eight).unwrap();
    let made = found(&made);
    let near =
        fidelity((&program, &tensors), (&small, &made), &samples(4, 8, 2), &Ports::default())
            .unwrap();
    assert!(near[0].largest_difference < 1e-3, "{near:?}");
}

#[test]
fn what_cannot_be_observed_is_refused() {
    let (program, tensors) = network();
    let tensors = found(&tensors);
    let refused =
        |samples: &[Sample]| quantize(&program, &tensors, samples, Bits::Eight).unwrap_err();
    assert_eq!(refused(&[]), Error::NoSamples);
    let short = Error::Sample { sample: 1, wanted: vec![120], found: vec![119] };
    assert_eq!(refused(&[vec![vec![0.0; 120]], vec![vec![0.0; 119]]]), short);
    let error = refused(&[vec![vec![f32::NAN; 120]]]);
    assert_eq!(error.to_string(), "program `net`, value 0: NaN on sample 0");
    let (small, made) = quantize(&program, &tensors, &samples(4, 120, 1), Bits::Eight).unwrap();
    let again = quantize(&small, &found(&made), &samples(4, 120, 1), Bits::Eight).unwrap_err();
    assert!(matches!(again, Error::Quantized { .. }), "{again}");
}

/// One number in a sample of thousands is a hundred times too large: ranges that are cut lose it and keep
/// the others.
#[test]
fn what_is_cut_makes_the_rest_finer() {
    let (program, tensors) = network();
    let tensors = found(&tensors);
    let mut seen = samples(64, 120, 1);
    seen[5][0][7] = 200.0;
    let held = samples(32, 120, 2);
    let near = |clip| {
        let scheme = Scheme { clip, ..Bits::Eight.into() };
        let (small, made) = quantize(&program, &tensors, &seen, scheme).unwrap();
        let small_tensors = found(&made);
        fidelity((&program, &tensors), (&small, &small_tensors), &held, &Ports::default()).unwrap()
            [0]
        .signal_to_noise_db
    };
    let whole = near(Clip::Never);
    let cut = near(Clip::Within(0.999));
    assert!(cut > whole + 15.0, "{cut} dB, not {whole}");
    // A number so far out weighs much in a squared error: little of it is cut.
    assert!(near(Clip::SquaredError) >= whole - 0.5, "{} dB, {whole}", near(Clip::SquaredError));
}

/// How far the signal is above the error, in dB, where a program of eight bits that is shown `unusual` samples runs on
/// `held` ones.
fn within_ranges(
    (program, tensors): &(Verified, Tensors),
    unusual: &[Sample],
    held: &[Sample],
) -> f64 {
    let (tensors, usual) = (found(tensors), samples(64, 120, 1));
    let shown = Shown { usual: &usual, unusual };
    let (small, made) = quantize(program, &tensors, shown, Bits::Eight).unwrap();
    let near = fidelity((program, &tensors), (&small, &found(&made)), held, &Ports::default());
    near.unwrap()[0].signal_to_noise_db
}

fn times(factor: f32, seed: u64) -> Vec<Sample> {
    let mut all = samples(32, 120, seed);
    all.iter_mut().flatten().flatten().for_each(|x| *x *= factor);
    all
}

/// What goes a little beyond the usual is computed, not cut off; what goes far beyond does not make usual
/// numbers coarse.
#[test]
fn what_is_unusual_has_room() {
    let net = network();
    let near = |unusual: &[Sample], held: &[Sample]| within_ranges(&net, unusual, held);
    let (same, wide, far) = (times(1.0, 2), times(1.9, 3), times(50.0, 4));
    let (without, with) = (near(&[], &wide), near(&times(1.9, 5), &wide));
    assert!(with > without + 6.0, "{with} dB, not {without}");
    let (usually, still) = (near(&[], &same), near(&far, &same));
    // Or so coarse that the answers still bear it: 25 dB on the samples that are tried.
    let least = (usually - 8.0).min(24.0);
    assert!(still > least, "{still} dB, not {usually}");
    let mut broken = far;
    broken[0][0][0] = f32::NAN;
    assert!(near(&broken, &same) > least, "what is no number counts for nothing");
}

/// What goes further beyond is computed too where what is usual can spare the digits.
#[test]
fn spare_digits_are_for_the_unusual() {
    let mut net = Net::new(&[10, 12]);
    let a = net.conv(ValueId(0), 16, 1, Some(Unary::Relu));
    let y = net.linear(a, 5);
    let net = net.finish(y);
    let near = |unusual: &[Sample], held: &[Sample]| within_ranges(&net, unusual, held);
    let (same, wide) = (times(1.0, 2), times(4.0, 3));
    let (without, with) = (near(&[], &wide), near(&times(4.0, 4), &wide));
    assert!(without < 10.0 && with > 30.0, "{with} dB, not {without}");
    let still = near(&times(50.0, 5), &same);
    assert!(still > 24.0, "{still} dB");
}

/// Rounding that compensates is nearer on held-back samples, in eight bits and more so in four.
#[test]
fn compensated_weights_are_nearer_than_nearest_ones() {
    let (program, tensors) = network();
    let tensors = found(&tensors);
    let (seen, held) = (samples(64, 120, 1), samples(32, 120, 2));
    let near = |bits: Bits, rounding| {
        let scheme = Scheme { rounding, ..bits.into() };
        let (small, made) = quantize(&program, &tensors, &seen, scheme).unwrap();
        let small_tensors = found(&made);
        fidelity((&program, &tensors), (&small, &small_tensors), &held, &Ports::default()).unwrap()
            [0]
        .signal_to_noise_db
    };
    for (bits, gain) in [(Bits::Eight, 0.0), (Bits::Four, 1.0)] {
        let [alone, together] = [Rounding::Nearest, Rounding::Compensated].map(|r| near(bits, r));
        assert!(together > alone + gain, "{bits:?}: {together} dB, {alone} rounded to the nearest");
    }
}

/// In size and in nearness between eight bits and four; the layers that bear it best are nearer than the
/// others would be.
#[test]
fn mixed_widths_lie_between() {
    let (program, tensors) = network();
    let tensors = found(&tensors);
    let (seen, held) = (samples(64, 120, 1), samples(32, 120, 2));
    let made = |width| {
        let scheme = Scheme { width, ..Bits::Eight.into() };
        let (small, made) = quantize(&program, &tensors, &seen, scheme).unwrap();
        let bytes: usize = made.values().map(|array| array.tensor().bytes.len()).sum();
        let other = (&small, &found(&made));
        let near = fidelity((&program, &tensors), other, &held, &Ports::default()).unwrap();
        (bytes, near[0].signal_to_noise_db)
    };
    let [four, mixed, eight] =
        [Width::Uniform(Bits::Four), Width::Mixed(0.6), Width::Uniform(Bits::Eight)].map(made);
    assert!(four.0 < mixed.0 && mixed.0 < eight.0, "{four:?} {mixed:?} {eight:?}");
    assert!(four.1 + 1.0 < mixed.1 && mixed.1 < eight.1, "{four:?} {mixed:?} {eight:?}");
    assert_eq!(made(Width::Mixed(0.0)), eight);
    assert_eq!(made(Width::Mixed(1.0)), four);
    let scheme = Scheme { width: Width::Mixed(1.5), ..Bits::Eight.into() };
    let error = quantize(&program, &tensors, &seen, scheme).unwrap_err();
    assert!(matches!(error, Error::Share { found: 1.5, .. }), "{error}");
}

/// Inputs that are not zero in the mean move results one way; biases take that back.
#[test]
fn corrected_biases_leave_no_shift() {
    let mut net = Net::new(&[10, 12]);
    let a = net.conv(ValueId(0), 16, 1, Some(Unary::Relu));
    let y = net.linear(a, 5);
    let (program, tensors) = net.finish(y);
    let tensors = found(&tensors);
    let shifted = |n, seed| -> Vec<Sample> {
        let mut all = samples(n, 120, seed);
        all.iter_mut().flatten().flatten().for_each(|x| *x += 3.0);
        all
    };
    let (seen, held) = (shifted(64, 1), shifted(64, 2));
    let shift = |correct_biases| {
        let scheme = Scheme { rounding: Rounding::Nearest, correct_biases, ..Bits::Four.into() };
        let (small, made) = quantize(&program, &tensors, &seen, scheme).unwrap();
        let made = found(&made);
        let mean = |program: &Verified, tensors: &Found<'_>| -> Vec<f64> {
            let mut instance =
                Loaded::from_parts(Level::Plain, program, tensors).unwrap().instance();
            let mut sums = vec![0.0; 50];
            for sample in &held {
                instance.input(program.inputs[0].value).copy_from_slice(&sample[0]);
                instance.run();
                let y = instance.output(program.outputs[0].value);
                sums.iter_mut().zip(y).for_each(|(sum, y)| *sum += f64::from(*y));
            }
            sums
        };
        let pairs = mean(&program, &tensors).into_iter().zip(mean(&small, &made));
        pairs.map(|(a, b)| (a - b).abs()).sum::<f64>()
    };
    let (plain, corrected) = (shift(false), shift(true));
    assert!(corrected < 0.4 * plain, "{corrected}, plain {plain}");
}
