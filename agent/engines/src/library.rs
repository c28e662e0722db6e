//! A shared library of the system, found at run time, with errors that name its Debian package.

use crate::error::EngineError;
use libloading::{Library, Symbol};

/// A library and who it belongs to, for errors.
pub(crate) struct Shared {
    engine: &'static str,
    file: String,
    package: &'static str,
    library: Library,
}

impl Shared {
    /// Loads one by its file name, as the system's loader finds it.
    pub(crate) fn open(engine: &'static str, file: &str, package: &'static str) -> Result<Self, EngineError> {
        // SAFETY: running the library's initialisers is what loading means. The engines' libraries have
        // none of their own beyond the C runtime's.
        let library = unsafe { Library::new(file) }.map_err(|error| EngineError::Library {
            engine,
            library: file.to_owned(),
            package,
            why: error.to_string(),
        })?;
        Ok(Self { engine, file: file.to_owned(), package, library })
    }

    /// A function of the library, by value.
    ///
    /// # Safety
    /// `F` is the function's type as its header declares it, and the pointer is not used once this
    /// `Shared` is gone.
    pub(crate) unsafe fn function<F: Copy>(&self, name: &'static str) -> Result<F, EngineError> {
        // SAFETY: the caller vouches for the type.
        let symbol: Result<Symbol<'_, F>, _> = unsafe { self.library.get(name) };
        symbol.map(|symbol| *symbol).map_err(|_| EngineError::Symbol {
            engine: self.engine,
            library: self.file.clone(),
            symbol: name,
            package: self.package,
        })
    }
}
