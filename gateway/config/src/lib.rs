//! The configuration file: YAML and environment in, a typed [`Config`] or an error that names file,
//! line, key and what was expected. Opens nothing, asks nobody.
