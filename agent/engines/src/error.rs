//! What goes wrong with an engine, told so that whoever runs the gateway knows what to install.

/// Why an engine cannot be had or did not do what it was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EngineError {
    /// The shared library is not there.
    #[error("{engine}: cannot load {library}: {why}; install the Debian package {package}")]
    Library {
        /// The engine.
        engine: &'static str,
        /// File that the loader looked for.
        library: String,
        /// Debian package that ships it.
        package: &'static str,
        /// What the loader said.
        why: String,
    },
    /// The library is there but is not the version that these bindings are for.
    #[error(
        "{engine}: {library} has no {symbol}; these bindings are for the library of Debian 12's {package}"
    )]
    Symbol {
        /// The engine.
        engine: &'static str,
        /// The library.
        library: String,
        /// What it lacks.
        symbol: &'static str,
        /// Debian package of the version that is expected.
        package: &'static str,
    },
    /// A model or dictionary file is missing or not readable.
    #[error("{engine}: cannot read {path}: {why}; install the Debian package {package}")]
    Model {
        /// The engine.
        engine: &'static str,
        /// The file.
        path: String,
        /// Debian package that ships it.
        package: &'static str,
        /// What the system said.
        why: String,
    },
    /// A file that the engine is to read could not be written.
    #[error("{engine}: cannot write {path}: {why}")]
    Scratch {
        /// The engine.
        engine: &'static str,
        /// The file.
        path: String,
        /// What the system said.
        why: String,
    },
    /// The engine itself said no.
    #[error("{engine}: {what} failed")]
    Refused {
        /// The engine.
        engine: &'static str,
        /// What was asked of it.
        what: &'static str,
    },
}
