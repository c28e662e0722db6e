//! Where the configuration is found.

use std::path::{Path, PathBuf};
use trunkline_config::Config;

/// A text of configuration and what to call it in errors.
#[derive(Debug)]
pub struct ConfigSource {
    /// The file, or the variable that holds it.
    pub name: String,
    /// YAML.
    pub yaml: String,
}

/// Looked at in this order when nothing else names a file.
const PLACES: [&str; 2] = ["trunkline.yaml", "/etc/trunkline/trunkline.yaml"];

/// Finds it: command line, `SIP_CONFIG_FILE`, `SIP_CONFIG_BODY`, this folder, `/etc`, else an empty text,
/// which is a configuration.
///
/// # Errors
/// A sentence: a file that was named cannot be read.
pub fn find(
    file: Option<PathBuf>,
    body: Option<String>,
    environment: &dyn Fn(&str) -> Option<String>,
) -> Result<ConfigSource, String> {
    let set = |name: &str| environment(name).filter(|value| !value.is_empty());
    if let Some(yaml) = body {
        return Ok(ConfigSource { name: "--config-body".into(), yaml });
    }
    if let Some(file) = file.or_else(|| set("SIP_CONFIG_FILE").map(PathBuf::from)) {
        return read(&file);
    }
    if let Some(yaml) = set("SIP_CONFIG_BODY") {
        return Ok(ConfigSource { name: "SIP_CONFIG_BODY".into(), yaml });
    }
    match PLACES.iter().map(Path::new).find(|place| place.exists()) {
        Some(place) => read(place),
        None => Ok(ConfigSource { name: "no file, the defaults".into(), yaml: String::new() }),
    }
}

fn read(file: &Path) -> Result<ConfigSource, String> {
    let name = file.display().to_string();
    match std::fs::read_to_string(file) {
        Ok(yaml) => Ok(ConfigSource { name, yaml }),
        Err(error) => Err(format!("cannot read the configuration {name}: {error}")),
    }
}

impl ConfigSource {
    /// The configuration and the name of its source.
    ///
    /// # Errors
    /// A sentence with file, line, key and what was expected.
    pub fn parse(self) -> Result<(Config, String), String> {
        Config::parse(&self.name, &self.yaml, &|name| std::env::var(name).ok())
            .map(|config| (config, self.name))
            .map_err(|error| error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_in_the_environment_is_taken_when_no_file_is_named() {
        let source = find(None, None, &|name| (name == "SIP_CONFIG_BODY").then(|| "sip_port: 5080".into()));
        assert_eq!(source.expect("found").yaml, "sip_port: 5080");
    }

    #[test]
    fn a_named_file_that_cannot_be_read_is_an_error_and_not_the_defaults() {
        let error = find(Some("/nowhere/trunkline.yaml".into()), None, &|_| None).expect_err("no file");
        assert!(error.contains("/nowhere/trunkline.yaml"), "{error}");
    }
}
