//! Trunks, dispatch rules, numbers, limits: who may call, and where a call goes. Pure functions over
//! plain data: no sockets, no store, no clock. Input: the facts of a call. Output: a verdict that
//! explains itself, rule by rule.
