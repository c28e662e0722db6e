//! What is written down: the timeline of each call, CDRs, trunks and rules, and the pcap of a call.
//! It must never decide anything about a call.
