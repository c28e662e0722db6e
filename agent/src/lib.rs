//! The voice agent: turn taking, dialogue, providers. Hears and speaks through a
//! [`trunkline_media::port::AudioPort`]; must never know SIP, RTP, trunks or rules.
