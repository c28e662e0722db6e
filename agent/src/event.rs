//! What an agent's session tells the call that it belongs to.

use std::time::Duration;

/// What a session says of itself. Texts of callers are told here and nowhere else: they go to the
/// timeline, never to a log.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum AgentEvent {
    /// Somebody said something. `caller` says who; for the agent `text` is what was really played.
    Transcript { caller: bool, text: String, confidence: Option<f32>, interrupted: bool },
    /// listening, thinking, speaking.
    State(&'static str),
    /// The caller talked over the agent, which stopped after this much of its sentence.
    Interrupted { played: Duration },
    /// It was noise: the agent went on.
    FalseInterruption,
    /// A decision with its reason: an intent matched, a menu key, a slot filled, a time-out.
    Decision { what: String, why: String },
    /// From the end of the caller's speech to the first sound of the answer.
    Latency { end_of_turn: Duration, first_sound: Duration },
    /// Something of the pipeline failed; what the caller heard about it.
    Failed { what: String, spoken: bool },
    /// The dialogue is over: hang up now (its last words have been played).
    HangUp { reason: String },
    /// The caller is to be sent there (its words have been played).
    Transfer { to: String },
}
