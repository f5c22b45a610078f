"""Writes packages/gradient-conflict/fixtures/tensorboard: an event file as TensorBoard's own writer makes it, and its scalars.

pip install tensorboard, then: python tools/reference/tensorboard_events.py
"""
import json
from pathlib import Path

from tensorboard.backend.event_processing.event_file_loader import RawEventFileLoader
from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.summary.writer.record_writer import RecordWriter

folder = Path(__file__).parents[2] / "packages/gradient-conflict/fixtures/tensorboard"
folder.mkdir(parents=True, exist_ok=True)

events = [
    {"at": 1700000000.5, "step": 0, "scalars": {"stage2/loss": 0.25, "stage2/gradient norm": 1.5}},
    {"at": 1700000001.25, "step": 300, "scalars": {"stage2/loss": -3.5}},
    {"at": 1700000002.0, "step": 5_000_000_000, "scalars": {}},
]
path = folder / "golden.tfevents"
with open(path, "wb") as file:
    writer = RecordWriter(file)
    writer.write(Event(wall_time=1700000000.0, file_version="brain.Event:2").SerializeToString())
    for event in events:
        values = [Summary.Value(tag=tag, simple_value=value) for tag, value in event["scalars"].items()]
        summary = Summary(value=values)
        writer.write(Event(wall_time=event["at"], step=event["step"], summary=summary).SerializeToString())
    writer.flush()

# TensorBoard reads it back.
assert len(list(RawEventFileLoader(str(path)).Load())) == 1 + len(events)
(folder / "golden.json").write_text(json.dumps({"startedAt": 1700000000.0, "events": events}, indent=1) + "\n")
