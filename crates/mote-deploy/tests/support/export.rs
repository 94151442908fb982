//! Exports what was drafted.

use mote_deploy::{Error, Files, Language, Options, export_program};

use super::draft::Draft;

#[allow(dead_code)]
impl Draft {
    /// Verifies the program and exports it under the name `model`.
    #[track_caller]
    pub(crate) fn export(&self, language: Language) -> Files {
        self.export_as(language, "model")
    }

    #[track_caller]
    pub(crate) fn export_as(&self, language: Language, name: &str) -> Files {
        self.try_export(language, name).unwrap_or_else(|e| panic!("{e}"))
    }

    #[track_caller]
    pub(crate) fn try_export(&self, language: Language, name: &str) -> Result<Files, Error> {
        let (program, tensors) = (self.verified(), self.tensors());
        export_program(&program, &tensors, &Options::new(language, name))
    }
}
