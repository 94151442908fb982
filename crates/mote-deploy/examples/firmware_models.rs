//! Counts what models take as firmware on boards that QEMU has: a line of JSON for each model and processor.
//!
//! `cargo run --release -p mote-deploy --example firmware_models -- MODEL...`
//!
//! Bytes of tables and memory have to be those that [`footprint`] predicts. Needs what the tests of this crate need.
//! Exported is what a device would run: `step` where a model has it, else `score`.
#[path = "../tests/support/mod.rs"]
mod support;

use std::fs;

use mote_deploy::{Footprint, Kernels, Language, Options, export, footprint};
use mote_format::Model;
use support::bare::{Firmware, M4, M55};

fn main() {
    for path in std::env::args().skip(1) {
        let file = fs::read(&path).unwrap_or_else(|e| panic!("cannot read {path}: {e}"));
        let model = Model::open(&file).unwrap_or_else(|e| panic!("{path}: {e}"));
        let name = ["step", "score"].into_iter().find(|name| model.programs.contains_key(*name));
        let name = name.unwrap_or_else(|| panic!("{path} has neither `step` nor `score`"));
        let program = &model.programs[name];
        let options = Options::new(Language::Rust, "model");
        let files = export(&model, name, &options).unwrap_or_else(|e| panic!("{path}: {e}"));
        for (board, kernels) in [(M4, Kernels::Dsp), (M55, Kernels::Mve)] {
            let firmware = Firmware::build(&files, Language::Rust, board, "models");
            let (run, sizes) = (firmware.run(), firmware.sizes());
            assert_eq!(run.status, 0, "{path} on a {} differs from the host", board.name);
            let predicted = footprint(program, &model.tensors, kernels).expect("exported");
            let found = Footprint { tables: sizes.tables, memory: sizes.ram };
            assert_eq!(found, predicted, "{path} on a {}", board.name);
            let line = serde_json::json!({
                "model": path,
                "program": name,
                "processor": board.name,
                "multiply_adds": program.multiply_adds(),
                "instructions": run.instructions,
                "code": sizes.code,
                "tables": sizes.tables,
                "memory": sizes.ram,
                "stack": run.stack_bytes,
            });
            println!("{line}");
        }
    }
}
