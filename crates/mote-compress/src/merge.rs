//! Several programs that share the tensors of one file.

use mote_format::{Program, Tensors};

/// Adds the tensors of one program to those of a file. Equal ones of one name are stored once; of two
/// different ones with the same name, the second is renamed, in the program too.
pub fn merge(program: &mut Program, tensors: Tensors, file: &mut Tensors) {
    let mut names = std::collections::HashMap::new();
    for (name, array) in tensors {
        let fits = |n: &String| file.get(n).is_none_or(|stored| *stored == array);
        let stored = (0..)
            .map(|i| if i == 0 { name.clone() } else { format!("{name}.{i}") })
            .find(fits)
            .expect("there are more numbers than tensors");
        file.insert(stored.clone(), array);
        names.insert(name, stored);
    }
    for tensor in program.values.iter_mut().filter_map(|v| v.tensor.as_mut()) {
        if let Some(stored) = names.get(tensor) {
            tensor.clone_from(stored);
        }
    }
}

#[cfg(test)]
mod tests {
    use mote_format::{Array, Dtype, program::Value};

    use super::*;

    #[test]
    fn equal_tensors_are_shared_and_others_renamed() {
        let program = Program {
            name: "p".into(),
            values: vec![Value::tensor("w", Dtype::F32, [1])],
            inputs: vec![],
            outputs: vec![],
            ops: vec![],
        };
        let tensors = |x: f32| Tensors::from([("w".into(), Array::new([1], &[x]))]);
        let mut file = Tensors::new();
        for (x, wanted) in [(1.0, "w"), (1.0, "w"), (2.0, "w.1"), (1.0, "w"), (2.0, "w.1")] {
            let mut program = program.clone();
            merge(&mut program, tensors(x), &mut file);
            assert_eq!(program.values[0].tensor.as_deref(), Some(wanted));
        }
        assert_eq!(file.len(), 2);
    }
}
