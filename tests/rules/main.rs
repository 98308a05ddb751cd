//! The house's rules, as tests: who may depend on whom, what no file may say, how large things may be.
//!
//! Each rule is a function from what was read to the list of what is wrong; it runs once over the
//! real tree and once over a planted violation that it must find. What the compiler and clippy check
//! already is not repeated here. No network, nothing compiled, nothing written.

#[cfg(test)]
mod code;
#[cfg(test)]
mod dependencies;
#[cfg(test)]
mod documents;
#[cfg(test)]
mod frozen;
#[cfg(test)]
mod infra;
#[cfg(test)]
mod logging;
#[cfg(test)]
mod ports;
#[cfg(test)]
mod sizes;
#[cfg(test)]
mod sources;
#[cfg(test)]
mod tree;
#[cfg(test)]
mod words;
