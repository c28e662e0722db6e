//! What the environment says where the file is silent.

use crate::ConfigError;
use std::path::PathBuf;

/// Variables of the seeds and of livekit/sip that a later version serves. Their values are never told:
/// some are secrets.
const NOT_YET: [(&str, &str); 8] = [
    ("WHISPERLIVE_URL", "the agent hears with its embedded recogniser in this version"),
    ("DEEPGRAM_API_KEY", "the agent hears with its embedded recogniser in this version"),
    ("PIPER_URL", "the agent speaks with its embedded voice in this version"),
    ("OLLAMA_URL", "the agent follows a dialogue, without a language model, in this version"),
    ("OLLAMA_MODEL", "the agent follows a dialogue, without a language model, in this version"),
    ("OPENAI_API_KEY", "the agent follows a dialogue, without a language model, in this version"),
    ("GEMINI_API_KEY", "the agent follows a dialogue, without a language model, in this version"),
    ("GOOGLE_API_KEY", "the agent follows a dialogue, without a language model, in this version"),
];

pub(crate) type Environment<'a> = &'a dyn Fn(&str) -> Option<String>;

/// Set and not empty.
pub(crate) fn set(environment: Environment<'_>, name: &str) -> Option<String> {
    environment(name).filter(|value| !value.is_empty())
}

pub(crate) fn notes(environment: Environment<'_>) -> impl Iterator<Item = String> + '_ {
    NOT_YET
        .iter()
        .filter(move |(name, _)| set(environment, name).is_some())
        .map(|(name, why)| format!("environment: {name} has no effect: {why}"))
}

/// `SIP_PORT`.
pub(crate) fn sip_port(environment: Environment<'_>) -> Result<Option<u16>, ConfigError> {
    let Some(text) = set(environment, "SIP_PORT") else { return Ok(None) };
    match text.parse::<u16>() {
        Ok(port) if port > 0 => Ok(Some(port)),
        _ => {
            let shown: String = text.escape_debug().take(60).collect();
            let message = format!("SIP_PORT: expected a port from 1 to 65535, found \"{shown}\"");
            Err(ConfigError { file: "environment".into(), line: 0, message })
        }
    }
}

/// `LIVEKIT_CPU_REQUEST`: how many processors are ours, whole or in part.
pub(crate) fn cpu_request(environment: Environment<'_>) -> Result<Option<f64>, ConfigError> {
    let Some(text) = set(environment, "LIVEKIT_CPU_REQUEST") else { return Ok(None) };
    match text.trim().parse::<f64>() {
        Ok(many) if many.is_finite() && many > 0.0 => Ok(Some(many)),
        _ => {
            let shown: String = text.escape_debug().take(60).collect();
            let message = format!(
                "LIVEKIT_CPU_REQUEST: expected a number of processors such as 2 or 0.5, found \"{shown}\""
            );
            Err(ConfigError { file: "environment".into(), line: 0, message })
        }
    }
}

/// Where state lies when the file does not say: what systemd gives a service, what the desktop's rules
/// say for a person, the system's place for root and for nobody.
pub(crate) fn state_dir(environment: Environment<'_>) -> PathBuf {
    if let Some(folder) = set(environment, "STATE_DIRECTORY") {
        // systemd gives a list with colons when a unit has several.
        return folder.split(':').next().unwrap_or(&folder).into();
    }
    if let Some(folder) = set(environment, "XDG_STATE_HOME") {
        return PathBuf::from(folder).join("trunkline");
    }
    match set(environment, "HOME") {
        Some(home) if home != "/root" && home != "/" && environment("USER").as_deref() != Some("root") => {
            PathBuf::from(home).join(".local/state/trunkline")
        }
        _ => "/var/lib/trunkline".into(),
    }
}
