//! Channels that go: the right ones, everywhere at once, and no port with them.

use mote_compress::{
    Importance, Ports, Pruned, Pruning, Sample, Spread, fidelity, join, prune, split,
};
use mote_format::{
    Array, Op, ValueId, Verified,
    program::{Binary, Port, Unary, Value},
};

use crate::net::{Net, Random, found, samples};

const ALL: [Importance; 4] =
    [Importance::Magnitude, Importance::Activation, Importance::Residual, Importance::Taylor];

/// The same share of each layer, channel by channel.
fn pruning(share: f64, importance: Importance) -> Pruning {
    Pruning { share, importance, spread: Spread::Uniform, multiple: 1, making_up: true }
}

/// A network with everything that ties channels: residual branches, norms, concatenations, heads, slices and
/// a flattened end. Units `dead` of its hidden layers have no weights, so nothing is lost with them.
fn network(dead: impl Fn(usize) -> bool) -> (Verified, mote_format::Tensors) {
    let mut net = Net::new(&[12, 5]);
    let a = net.conv(ValueId(0), 16, 1, Some(Unary::Relu));
    let b = net.conv(a, 16, 2, Some(Unary::Tanh));
    let sum = net.push(|y| Op::Binary { a, b, y, f: Binary::Add });
    let side = net.linear(ValueId(0), 8);
    let both = net.push(|y| Op::Concat { xs: vec![sum, side], y, axis: 1 });
    let part = net.push(|y| Op::Slice { x: both, y, axis: 1, start: 4, end: 24 });
    let gated = net.push(|y| Op::Unary { x: part, y, f: Unary::Silu });
    let flat = net.value(Value::f32([12 * 20]));
    net.program.ops.push(Op::Reshape { x: gated, y: flat });
    let y = net.linear(flat, 3);
    // Hidden units without weights: zero rows and zero biases.
    for (name, units) in [("t0", 16), ("t1", 16), ("t2", 16), ("t3", 16), ("t4", 8), ("t5", 8)] {
        let array = net.tensors[name].clone();
        let shape = array.tensor().shape.to_vec();
        let mut x: Vec<f32> = array.tensor().elements().unwrap().to_vec();
        let row = x.len() / units;
        for (i, x) in x.iter_mut().enumerate() {
            *x = if dead(i / row) { 0.0 } else { *x };
        }
        net.tensors.insert(name.into(), Array::new(shape, &x));
    }
    net.finish(y)
}

#[test]
fn channels_that_do_nothing_go_first_and_nothing_is_lost() {
    let (program, tensors) = network(|unit| unit % 2 == 1);
    let seen = samples(40, 60, 1);
    for importance in ALL {
        let how = pruning(0.45, importance);
        let Pruned { program: small, tensors: kept, ports } =
            prune(&program, &found(&tensors), &seen, how).unwrap();
        let count =
            |t: &mote_format::Tensors| t.values().map(|a| a.tensor().bytes.len()).sum::<usize>();
        assert!(count(&kept) as f64 <= 0.56 * count(&tensors) as f64, "{importance:?}");
        let near = fidelity(
            (&program, &found(&tensors)),
            (&small, &found(&kept)),
            &samples(20, 60, 2),
            &ports,
        );
        assert!(near.unwrap()[0].signal_to_noise_db > 100.0, "{importance:?}");
        assert!(small.multiply_adds() < program.multiply_adds() * 7 / 10);
    }
}

/// What has weights in every unit loses some of what it gives, and keeps its ports whatever the share.
#[test]
fn any_share_leaves_a_program_that_runs() {
    let (program, tensors) = network(|_| false);
    for share in [0.0, 0.3, 0.6, 0.9, 0.99] {
        for spread in [Spread::Uniform, Spread::Automatic] {
            for importance in ALL {
                let how = Pruning { spread, ..pruning(share, importance) };
                let small = prune(&program, &found(&tensors), &samples(20, 60, 1), how).unwrap();
                let ports = |p: &Verified| {
                    let shape = |port: &Port| (port.name.clone(), p.shape(port.value).to_vec());
                    p.inputs.iter().chain(&p.outputs).map(shape).collect::<Vec<_>>()
                };
                assert_eq!(ports(&small.program), ports(&program));
                if share == 0.0 {
                    assert_eq!(small.tensors, tensors);
                }
            }
        }
    }
}

/// A network of two hidden layers; each unit of the first is there twice.
fn twins() -> (Verified, mote_format::Tensors) {
    let mut net = Net::new(&[1, 24]);
    let first = net.linear(ValueId(0), 16);
    let first = net.push(|y| Op::Unary { x: first, y, f: Unary::Tanh });
    let second = net.linear(first, 16);
    let second = net.push(|y| Op::Unary { x: second, y, f: Unary::Tanh });
    let y = net.linear(second, 3);
    for (name, row) in [("t0", 24), ("t1", 1)] {
        let array = net.tensors[name].clone();
        let mut x: Vec<f32> = array.tensor().elements().unwrap().to_vec();
        x.copy_within(..8 * row, 8 * row);
        net.tensors.insert(name.into(), Array::new(array.tensor().shape.clone(), &x));
    }
    net.finish(y)
}

/// The signal to the noise of a program without a share of its weights, in decibels.
fn near(program: &Verified, tensors: &mote_format::Tensors, how: Pruning) -> f64 {
    let small = prune(program, &found(tensors), &samples(400, 24, 1), how).unwrap();
    let (whole, small_tensors) = (found(tensors), found(&small.tensors));
    let small = ((program, &whole), (&small.program, &small_tensors), small.ports);
    let near = fidelity(small.0, small.1, &samples(60, 24, 2), &small.2);
    near.unwrap()[0].signal_to_noise_db
}

/// Of two that say the same one goes, and the other makes up for it, which a score for each alone does not see.
#[test]
fn what_stays_makes_up_for_what_goes() {
    let (program, tensors) = twins();
    // Half of the first layer are 8 · 24 + 8 + 8 · 16 weights of 723.
    let how = Pruning { spread: Spread::Automatic, ..pruning(0.44, Importance::Residual) };
    let made_up = near(&program, &tensors, how);
    assert!(made_up > 30.0, "{made_up}");
    let left_alone = near(&program, &tensors, Pruning { making_up: false, ..how });
    assert!(left_alone + 20.0 < made_up, "{left_alone} {made_up}");
}

/// All that goes can go for nothing in one layer, and nothing in the other.
#[test]
fn an_automatic_spread_finds_the_layer_that_has_too_many() {
    let (program, tensors) = twins();
    let uniform = pruning(0.4, Importance::Residual);
    let automatic = Pruning { spread: Spread::Automatic, ..uniform };
    let [uniform, automatic] = [uniform, automatic].map(|how| near(&program, &tensors, how));
    assert!(automatic > uniform + 10.0, "{automatic} {uniform}");
}

/// Channels that hardly move, or not at all, leave weights that are numbers.
#[test]
fn inputs_that_do_not_move_are_no_trouble() {
    let (program, tensors) = twins();
    let still: Vec<Sample> = vec![samples(1, 24, 1)[0].clone(); 400];
    let nearly: Vec<Sample> = still
        .iter()
        .zip(samples(400, 24, 3))
        .map(|(x, noise)| vec![x[0].iter().zip(&noise[0]).map(|(x, n)| x + 1e-5 * n).collect()])
        .collect();
    for seen in [still, nearly] {
        for importance in ALL {
            let small = prune(&program, &found(&tensors), &seen, pruning(0.4, importance)).unwrap();
            let numbers = |array: &Array| array.tensor().elements::<f32>().unwrap().to_vec();
            let largest = small.tensors.values().flat_map(numbers).map(f32::abs);
            let largest = largest.fold(0.0, |a, b| if b > a || b.is_nan() { b } else { a });
            assert!(largest < 20.0, "{importance:?}: {largest}");
        }
    }
}

/// The taps of a channel that changes slowly say the same, but nothing says it when all of them go.
#[test]
fn taps_of_a_channel_do_not_stand_in_for_each_other() {
    let mut net = Net::new(&[40, 2]);
    let hidden = net.linear(ValueId(0), 2);
    let y = net.conv(hidden, 3, 1, None);
    // The first channel is slow and strong, the second quick and weak.
    net.tensors.insert("t0".into(), Array::new([2, 2], &[1.0f32, 0.0, 0.0, 1.0]));
    net.tensors.insert("t1".into(), Array::new([2], &[0.0f32; 2]));
    net.tensors.insert("t2".into(), Array::new([3, 2, 2], &[0.5f32; 12]));
    let (program, tensors) = net.finish(y);
    let mut random = Random(5);
    let series = |_| {
        let mut slow = random.unit();
        let row = |_| {
            slow = 0.98 * slow + 0.2 * random.unit();
            [slow, 0.1 * random.unit()]
        };
        vec![(0..40).flat_map(row).collect()]
    };
    let seen: Vec<Sample> = (0..100).map(series).collect();
    let small = prune(&program, &found(&tensors), &seen, pruning(0.3, Importance::Residual));
    let small = small.unwrap();
    assert_eq!(small.tensors["t0"].tensor().elements::<f32>(), Some(&[1.0f32, 0.0][..]));
}

/// A bias that something else reads as well keeps what it is.
#[test]
fn what_others_read_stays_as_it_is() {
    let mut net = Net::new(&[1, 24]);
    let first = net.linear(ValueId(0), 16);
    let second = net.linear(first, 3);
    let Op::Linear { bias: Some(bias), .. } = net.program.ops[1] else { unreachable!() };
    let y = net.push(|y| Op::Binary { a: second, b: bias, y, f: Binary::Mul });
    let (program, tensors) = net.finish(y);
    let name = program.values[bias.index()].tensor.clone().unwrap();
    let how = pruning(0.4, Importance::Residual);
    let small = prune(&program, &found(&tensors), &samples(100, 24, 1), how).unwrap();
    assert_eq!(small.tensors[&name], tensors[&name]);
}

/// What is left comes in whole registers, and in halves of what is thinner than two of them.
#[test]
fn channels_that_are_left_come_in_multiples() {
    let mut net = Net::new(&[1, 6]);
    let wide = net.linear(ValueId(0), 44);
    let wide = net.push(|y| Op::Unary { x: wide, y, f: Unary::Tanh });
    let thin = net.linear(wide, 10);
    let y = net.linear(thin, 3);
    let (program, tensors) = net.finish(y);
    let mut seen = std::collections::BTreeSet::new();
    for share in [0.1, 0.3, 0.5, 0.7, 0.9, 0.99] {
        for spread in [Spread::Uniform, Spread::Automatic] {
            let how = Pruning { spread, multiple: 8, ..pruning(share, Importance::Magnitude) };
            let small = prune(&program, &found(&tensors), &samples(9, 6, 1), how).unwrap();
            let width = |op: usize| small.program.shape(small.program.ops[op].result())[1];
            assert!(width(0).is_multiple_of(8) || width(0) == 44, "{}", width(0));
            assert!([10, 8, 4].contains(&width(2)), "{}", width(2));
            seen.insert((width(0), width(2)));
        }
    }
    assert!(seen.contains(&(8, 4)) && seen.len() > 4, "{seen:?}");
}

/// A layer that is flattened behind it has as many channels as it has outputs, however many rows each fills.
#[test]
fn channels_that_are_flattened_come_in_multiples_too() {
    let mut net = Net::new(&[6, 5]);
    let hidden = net.conv(ValueId(0), 32, 1, Some(Unary::Relu));
    let flat = net.value(Value::f32([6 * 32]));
    net.program.ops.push(Op::Reshape { x: hidden, y: flat });
    let y = net.linear(flat, 3);
    let (program, tensors) = net.finish(y);
    for (share, left) in [(0.1, 24), (0.3, 16), (0.7, 8)] {
        let how = Pruning { multiple: 8, ..pruning(share, Importance::Magnitude) };
        let small = prune(&program, &found(&tensors), &samples(9, 30, 1), how).unwrap();
        assert_eq!(small.program.shape(small.program.ops[0].result()), [6, left], "{share}");
    }
}

/// Two programs that share a layer lose the same channels of it.
#[test]
fn programs_of_one_model_stay_in_step() {
    let mut net = Net::new(&[1, 6]);
    let hidden = net.linear(ValueId(0), 20);
    let hidden = net.push(|y| Op::Unary { x: hidden, y, f: Unary::Relu });
    let y = net.linear(hidden, 4);
    let mut other = net.clone();
    let (first, tensors) = net.finish(y);
    let z = other.push(|z| Op::Unary { x: y, y: z, f: Unary::Tanh });
    let (second, _) = other.finish(z);
    let named = |program: &Verified, name: &str| mote_format::Program {
        name: name.into(),
        ..(**program).clone()
    };
    let programs = [named(&first, "a"), named(&second, "b")];
    let joined = join(&programs, &tensors).unwrap();
    let side = |seed| -> Vec<mote_compress::Sample> {
        samples(20, 6, seed).into_iter().map(|s| vec![s[0].clone(), s[0].clone()]).collect()
    };
    let how = pruning(0.5, Importance::Activation);
    let small = prune(&joined, &found(&tensors), &side(1), how).unwrap();
    let apart = split(&small.program);
    assert_eq!(apart.len(), 2);
    for program in apart {
        let hidden = program.shape(program.ops[0].result())[1];
        assert!((8..20).contains(&hidden), "{hidden}");
        let stored = |name: &str| small.tensors.get(name).map(Array::stored);
        assert!(Verified::new(program, stored).is_ok());
    }
}

/// What a program remembers may lose channels: in and out alike, and in its samples.
#[test]
fn states_lose_the_channels_of_what_they_remember() {
    let mut net = Net::new(&[1, 4]);
    let before = net.value(Value::f32([2, 12]));
    net.program.inputs.push(Port { name: "state.0".into(), value: before });
    let now = net.linear(ValueId(0), 12);
    let all = net.push(|y| Op::Concat { xs: vec![before, now], y, axis: 0 });
    let after = net.push(|y| Op::Slice { x: all, y, axis: 0, start: 1, end: 3 });
    let w = net.tensor(&[3, 3, 12], 0.3);
    let (stride, dilation, padding) = (1, 1, [0, 0]);
    let y = net.push(|y| Op::Conv1d {
        x: all,
        w,
        bias: None,
        y,
        stride,
        dilation,
        padding,
        activation: None,
    });
    net.program.outputs.push(Port { name: "state.0".into(), value: after });
    let (program, tensors) = net.finish(y);
    let mut random = Random(4);
    let seen: Vec<mote_compress::Sample> =
        (0..30).map(|_| vec![random.fill(4, 1.0), random.fill(24, 1.0)]).collect();
    let how = pruning(0.5, Importance::Taylor);
    let small = prune(&program, &found(&tensors), &seen, how).unwrap();
    let (input, output) = small.program.states().next().unwrap();
    assert_eq!(small.program.shape(input), [2, 6]);
    assert_eq!(small.program.shape(output), [2, 6]);
    let left = small.ports.of_inputs(&seen[0]);
    assert_eq!((left[0].len(), left[1].len()), (4, 12));
    let near = fidelity(
        (&program, &found(&tensors)),
        (&small.program, &found(&small.tensors)),
        &seen,
        &small.ports,
    );
    // The state is what it was, of the channels that are left.
    assert!(near.unwrap()[0].signal_to_noise_db.is_infinite());
}

#[test]
fn shares_that_are_none_are_refused() {
    let (program, tensors) = network(|_| false);
    for share in [-0.1, 1.0, f64::NAN] {
        let how = pruning(share, Importance::Taylor);
        let error = prune(&program, &found(&tensors), &samples(9, 60, 1), how).unwrap_err();
        assert_eq!(
            error.to_string(),
            format!("the share of weights that go is from 0 to below 1, found {share}")
        );
    }
    let how = pruning(0.5, Importance::Taylor);
    assert!(prune(&program, &found(&tensors), &[], how).is_err());
    assert_eq!(Ports::default().of_inputs(&vec![vec![1.0]]), [[1.0]]);
}
