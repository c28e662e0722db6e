//! Silero VAD at 8,000 Hz: the network's forward pass.
//!
//! A window of 256 samples (32 ms) with the 32 before it → four magnitude spectra → four convolutions →
//! one LSTM cell → a probability. The network remembers by its LSTM state and by those 32 samples;
//! without them it hardly fires at this rate. Weights are one copy for the process, state is about 1 kB
//! a call.

use std::sync::OnceLock;

/// Samples a window.
pub const WINDOW: usize = 256;
/// The rate, in Hz.
pub const RATE: u32 = 8_000;

const CONTEXT: usize = 32;
const PADDING: usize = 32;
const BINS: usize = 65;
const FRAMES: usize = 4;
const HIDDEN: usize = 128;
/// Outputs whose weights lie side by side: two SSE registers, one AVX.
const BLOCK: usize = 8;

static BYTES: &[u8] = include_bytes!("../weights/silero_vad_8k.bin");

struct Layer {
    inputs: usize,
    weights: Vec<f32>,
    bias: Vec<f32>,
}

struct Network {
    stft: Layer,
    encoder: [Layer; 4],
    lstm: Layer,
    out: Layer,
}

/// Reads the layers one after the other; see `weights/extract.py` for the layout.
struct Reader {
    at: usize,
}

impl Reader {
    fn floats(&mut self, count: usize) -> Vec<f32> {
        let bytes = &BYTES[self.at..self.at + 4 * count];
        self.at += 4 * count;
        bytes.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect()
    }

    fn layer(&mut self, outputs: usize, inputs: usize) -> Layer {
        let weights = self.floats(outputs * inputs);
        Layer { inputs, weights, bias: self.floats(outputs) }
    }
}

fn network() -> &'static Network {
    static NETWORK: OnceLock<Network> = OnceLock::new();
    NETWORK.get_or_init(|| {
        let mut reader = Reader { at: 0 };
        Network {
            stft: reader.layer(136, 128),
            encoder: [
                reader.layer(128, 3 * BINS),
                reader.layer(64, 3 * 128),
                reader.layer(64, 2 * 64),
                reader.layer(128, 64),
            ],
            lstm: reader.layer(4 * HIDDEN, 2 * HIDDEN),
            out: reader.layer(1, HIDDEN),
        }
    })
}

impl Layer {
    /// `T` frames through the layer at once, so that a weight is loaded once for all of them. Frame `t`
    /// begins at `from[t * stride]`; its outputs begin at `to[t * outputs]`.
    #[inline(always)]
    fn run<const T: usize>(&self, from: &[f32], stride: usize, to: &mut [f32]) {
        let outputs = self.bias.len();
        let frames: [&[f32]; T] = std::array::from_fn(|t| &from[t * stride..][..self.inputs]);
        let blocks = self.weights.chunks_exact(BLOCK * self.inputs).zip(self.bias.chunks_exact(BLOCK));
        for (b, (weights, bias)) in blocks.enumerate() {
            let mut sums = [[0.0_f32; BLOCK]; T];
            for (i, weights) in weights.chunks_exact(BLOCK).enumerate() {
                for t in 0..T {
                    let x = frames[t][i];
                    for o in 0..BLOCK {
                        sums[t][o] += weights[o] * x;
                    }
                }
            }
            for (t, sums) in sums.iter().enumerate() {
                let to = &mut to[t * outputs + b * BLOCK..][..BLOCK];
                for o in 0..BLOCK {
                    to[o] = sums[o] + bias[o];
                }
            }
        }
    }
}

/// One call's ear for speech.
#[derive(Debug, Clone)]
pub struct Silero {
    /// Input of the LSTM and, behind it, what it said last: they are multiplied in one go.
    joined: [f32; 2 * HIDDEN],
    cell: [f32; HIDDEN],
    context: [f32; CONTEXT],
    /// The processor has registers of eight floats.
    wide: bool,
}

impl Default for Silero {
    fn default() -> Self {
        Self::new()
    }
}

impl Silero {
    /// A fresh one. The first of the process unpacks the weights (about 1 ms).
    #[must_use]
    pub fn new() -> Self {
        network();
        Self {
            joined: [0.0; 2 * HIDDEN],
            cell: [0.0; HIDDEN],
            context: [0.0; CONTEXT],
            wide: wide_registers(),
        }
    }

    /// Forgets the call: as new.
    pub fn reset(&mut self) {
        self.joined = [0.0; 2 * HIDDEN];
        self.cell = [0.0; HIDDEN];
        self.context = [0.0; CONTEXT];
    }

    /// Probability of speech in a window, 0..=1. The window holds [`WINDOW`] samples; a shorter one is
    /// heard as if silence followed, and of a longer one the rest is not heard.
    pub fn probability(&mut self, window: &[i16]) -> f32 {
        let mut signal = [0.0_f32; CONTEXT + WINDOW + PADDING];
        signal[..CONTEXT].copy_from_slice(&self.context);
        for (to, sample) in signal[CONTEXT..CONTEXT + WINDOW].iter_mut().zip(window) {
            *to = f32::from(*sample) / 32_768.0;
        }
        const END: usize = CONTEXT + WINDOW;
        for i in 0..PADDING {
            signal[END + i] = signal[END - 2 - i];
        }
        self.context.copy_from_slice(&signal[END - CONTEXT..END]);
        #[cfg(target_arch = "x86_64")]
        if self.wide {
            // SAFETY: `wide` is only ever set by `wide_registers`, which asked this processor for AVX2.
            return unsafe { self.forward_avx2(&signal) };
        }
        self.forward(&signal)
    }

    /// The same arithmetic, compiled for registers of eight.
    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx2")]
    fn forward_avx2(&mut self, signal: &[f32; CONTEXT + WINDOW + PADDING]) -> f32 {
        self.forward(signal)
    }

    #[inline(always)]
    fn forward(&mut self, signal: &[f32; CONTEXT + WINDOW + PADDING]) -> f32 {
        let net = network();
        let mut spectra = [0.0_f32; FRAMES * 136];
        net.stft.run::<FRAMES>(signal, 64, &mut spectra);
        // Frames lie one after the other with a frame of nothing at each end: the convolutions' padding.
        let mut bins = [0.0_f32; (FRAMES + 2) * BINS];
        for t in 0..FRAMES {
            let (real, imaginary) = spectra[t * 136..][..2 * BINS].split_at(BINS);
            for (to, (re, im)) in bins[(t + 1) * BINS..].iter_mut().zip(real.iter().zip(imaginary)) {
                *to = (re * re + im * im).sqrt();
            }
        }
        let mut first = [0.0_f32; 6 * 128];
        net.encoder[0].run::<4>(&bins, BINS, &mut first[128..5 * 128]);
        relu(&mut first);
        let mut second = [0.0_f32; 2 * 64];
        net.encoder[1].run::<2>(&first, 2 * 128, &mut second);
        relu(&mut second);
        let mut third = [0.0_f32; 64];
        net.encoder[2].run::<1>(&second, 0, &mut third);
        relu(&mut third);
        net.encoder[3].run::<1>(&third, 0, &mut self.joined[..HIDDEN]);
        relu(&mut self.joined[..HIDDEN]);
        self.lstm_and_out(net)
    }

    #[inline(always)]
    fn lstm_and_out(&mut self, net: &Network) -> f32 {
        let mut gates = [0.0_f32; 4 * HIDDEN];
        net.lstm.run::<1>(&self.joined, 0, &mut gates);
        let mut sum = net.out.bias[0];
        for n in 0..HIDDEN {
            let input = sigmoid(gates[n]);
            let forget = sigmoid(gates[HIDDEN + n]);
            let fresh = gates[2 * HIDDEN + n].tanh();
            let output = sigmoid(gates[3 * HIDDEN + n]);
            let cell = forget * self.cell[n] + input * fresh;
            let hidden = output * cell.tanh();
            self.cell[n] = cell;
            self.joined[HIDDEN + n] = hidden;
            sum += net.out.weights[n] * hidden.max(0.0);
        }
        sigmoid(sum)
    }
}

fn wide_registers() -> bool {
    #[cfg(target_arch = "x86_64")]
    {
        std::arch::is_x86_feature_detected!("avx2")
    }
    #[cfg(not(target_arch = "x86_64"))]
    {
        false
    }
}

fn relu(values: &mut [f32]) {
    for value in values {
        *value = value.max(0.0);
    }
}

fn sigmoid(x: f32) -> f32 {
    1.0 / (1.0 + (-x).exp())
}
