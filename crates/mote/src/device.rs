//! Boards and processors: what they have room for.

use mote_deploy::{Footprint, Kernels, footprint};
use mote_format::{Model, Verified};
use serde::Serialize;

use crate::{
    Error,
    training::{SCORE, STEP},
};

/// What firmware is made for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Device {
    /// What it is called here.
    pub name: &'static str,
    /// Its processor.
    pub processor: &'static str,
    /// The kernels that run there.
    pub kernels: Kernels,
    /// Bytes of flash.
    pub flash: usize,
    /// Bytes of memory.
    pub ram: usize,
}

/// Bytes of flash that are taken for the code of a program; `docs/results/boards.md` has what it took.
pub const CODE: usize = 24 << 10;
/// Bytes that are taken for its stack.
pub const STACK: usize = 1 << 10;

/// The devices that are known by name, by the data sheets of their makers: memories of the chip itself, the largest in one piece, but for
/// the flash of the RP2040 and RP2350, which is that of the boards Pico and Pico 2. The two that are called after
/// their processor stand for small parts with it.
pub const DEVICES: &[Device] = &[
    device("cortex-m4", "Cortex-M4", Kernels::Dsp, 64, 32),
    device("cortex-m55", "Cortex-M55", Kernels::Mve, 64, 32),
    device("stm32f411", "Cortex-M4", Kernels::Dsp, 512, 128),
    device("stm32l412", "Cortex-M4", Kernels::Dsp, 128, 40),
    device("stm32l432", "Cortex-M4", Kernels::Dsp, 256, 64),
    device("stm32l4r5", "Cortex-M4", Kernels::Dsp, 2048, 640),
    device("stm32h743", "Cortex-M7", Kernels::Dsp, 2048, 512),
    device("nrf52833", "Cortex-M4", Kernels::Dsp, 512, 128),
    device("nrf52840", "Cortex-M4", Kernels::Dsp, 1024, 256),
    device("nrf5340", "Cortex-M33", Kernels::Dsp, 1024, 512),
    device("rp2040", "Cortex-M0+", Kernels::Plain, 2048, 264),
    device("rp2350", "Cortex-M33", Kernels::Dsp, 4096, 520),
];

const fn device(
    name: &'static str,
    processor: &'static str,
    kernels: Kernels,
    flash_kb: usize,
    ram_kb: usize,
) -> Device {
    Device { name, processor, kernels, flash: flash_kb << 10, ram: ram_kb << 10 }
}

impl Device {
    /// The one that is called `name`.
    ///
    /// # Errors
    ///
    /// Which ones there are.
    pub fn named(name: &str) -> Result<Self, String> {
        let found = DEVICES.iter().find(|device| device.name == name);
        found.copied().ok_or_else(|| {
            let names: Vec<&str> = DEVICES.iter().map(|device| device.name).collect();
            format!("wanted one of {}", names.join(", "))
        })
    }

    /// Whether there is room for a program that takes so much, its code and its stack.
    #[must_use]
    pub fn has_room(self, needs: Footprint) -> bool {
        needs.tables + CODE <= self.flash && needs.memory + STACK <= self.ram
    }

    /// What the program of `model` that would run there takes in firmware: the one that goes sample by sample,
    /// else the one that scores, else the one that takes most.
    ///
    /// # Errors
    ///
    /// [`Error::Export`] if it cannot become firmware.
    pub fn fit(self, model: &Model<'_>) -> Result<Fit, Error> {
        let of = |program: &Verified| -> Result<Fit, Error> {
            let needs = footprint(program, &model.tensors, self.kernels)?;
            Ok(Fit { device: self, program: program.name.clone(), needs })
        };
        let named = [STEP, SCORE].into_iter().find_map(|name| model.programs.get(name));
        if let Some(program) = named {
            return of(program);
        }
        let all = model.programs.values().map(of).collect::<Result<Vec<_>, _>>()?;
        let most = all.into_iter().max_by_key(|fit| fit.needs.tables + fit.needs.memory);
        most.ok_or_else(|| Error::Usage("a model without a program fits everywhere".into()))
    }
}

/// A program on a device.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Fit {
    /// Where.
    pub device: Device,
    /// Which program.
    pub program: String,
    /// What it takes.
    pub needs: Footprint,
}

impl Fit {
    /// What it takes, in words.
    #[must_use]
    pub fn told(&self) -> String {
        let Footprint { tables, memory } = self.needs;
        let Device { name, flash, ram, .. } = self.device;
        format!(
            "{name} ({}): {tables} bytes of tables and {CODE} for code, of {flash} of flash; {memory} bytes of \
             memory and {STACK} of stack, of {ram}{}",
            self.program,
            if self.device.has_room(self.needs) { "" } else { ": too much" }
        )
    }
}
