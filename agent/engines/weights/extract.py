#!/usr/bin/env python3
"""Makes silero_vad_8k.bin out of the model that Silero publish, and the vectors it is tested against.

    python3 -m venv v && v/bin/pip install onnx onnxruntime numpy
    v/bin/pip download --no-deps silero-vad==6.2.3 && unzip silero_vad-6.2.3-*.whl -d silero
    v/bin/python extract.py silero/silero_vad/data/silero_vad_op18_ifless.onnx

The file is little-endian f32 and nothing else: for each layer its weights, then its biases. A layer's
weights lie in blocks of eight outputs, [output / 8][input][output % 8], so that one load gives eight
outputs their weight for one input. Inputs of a convolution are ordered [tap][channel], which is how
frames lie in memory one after the other. At 8,000 Hz a window gives four spectra, hence two, one and
one frames after the four convolutions; taps that only ever meet padding are left out.
"""
import sys
import numpy as np
import onnx
import onnxruntime
from onnx import numpy_helper

path = sys.argv[1]
w = {i.name: numpy_helper.to_array(i) for i in onnx.load(path).graph.initializer}
m = "model_8k."


def conv(name, taps):
    """[out][in][tap] to [out][tap * in], of the taps that count."""
    k = w[m + name + ".weight"][:, :, taps]
    return k.transpose(0, 2, 1).reshape(k.shape[0], -1), w[m + name + ".bias"]


stft = w[m + "stft.forward_basis_buffer"][:, 0, :]
stft = np.concatenate([stft, np.zeros((6, 128), np.float32)])  # 65 real, 65 imaginary, up to a whole block
layers = [
    (stft, np.zeros(136, np.float32)),
    conv("encoder.0.reparam_conv", [0, 1, 2]),
    conv("encoder.1.reparam_conv", [0, 1, 2]),
    conv("encoder.2.reparam_conv", [1, 2]),
    conv("encoder.3.reparam_conv", [1]),
    (
        np.concatenate([w[m + "decoder.rnn.weight_ih"], w[m + "decoder.rnn.weight_hh"]], axis=1),
        w[m + "decoder.rnn.bias_ih"] + w[m + "decoder.rnn.bias_hh"],
    ),
]
with open("silero_vad_8k.bin", "wb") as out:
    for weights, bias in layers:
        n, k = weights.shape
        out.write(weights.reshape(n // 8, 8, k).transpose(0, 2, 1).astype("<f4").tobytes())
        out.write(bias.astype("<f4").tobytes())
    out.write(w[m + "decoder.decoder.2.weight"].reshape(128).astype("<f4").tobytes())
    out.write(w[m + "decoder.decoder.2.bias"].astype("<f4").tobytes())

# The vector: a voice-like sum of harmonics that swells, pauses, and a bout of noise; integer arithmetic
# decides every sample, so that the numbers in the file are the whole truth.
rng = np.random.default_rng(8000)
t = np.arange(256 * 24) / 8000
voice = sum(np.sin(2 * np.pi * 130 * h * (1 + 0.02 * np.sin(9 * t)) * t) / h for h in range(1, 14))
shape = np.clip(np.sin(2 * np.pi * 2.6 * t), 0, 1)
noise = rng.normal(0, 1, t.size) * (t > 0.6)
samples = np.clip(6000 * voice * shape + 900 * noise, -32768, 32767).astype(np.int16)
session = onnxruntime.InferenceSession(path)
state, context, said = np.zeros((2, 1, 128), np.float32), np.zeros(32, np.float32), []
for window in samples.reshape(-1, 256).astype(np.float32) / 32768:
    x = np.concatenate([context, window])[None]
    p, state = session.run(None, {"input": x, "state": state, "sr": np.array(8000, np.int64)})
    said.append(float(p[0, 0]))
    context = window[-32:]
samples.astype("<i2").tofile("../tests/data/vad_vector.s16")
with open("../tests/data/vad_expected.txt", "w") as out:
    out.writelines(f"{p:.7f}\n" for p in said)
