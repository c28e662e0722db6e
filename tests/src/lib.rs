//! Whole-system tests: the program as users run it, with peers that we did not write.
