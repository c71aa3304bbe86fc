"""Takes options for its provider and passes none of them on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from pydantic import Field

from harness.engines import fake

WHY = (
    "What such an option does is known to its provider alone: the same tokens and log-probabilities are right with and without it, and a speed "
    "that it does not change is a finding, not a fault. Options with an effect that can be seen, a type or a number of threads, are held against it."
)
OPTIONS = ({"provider_options": {"enable_cuda_graph": "1"}},)


class Options(fake.FakeEngineOptions):
    provider_options: dict[str, str] = Field(default_factory=dict)


@contextmanager
def opened(folder: Path, options: Options) -> Iterator[fake.FakeSession]:
    bare = fake.FakeEngineOptions.model_validate(options.model_dump(exclude={"provider_options"}))
    with fake.ENGINE.open(folder, bare) as session:
        assert isinstance(session, fake.FakeSession)
        yield session


ENGINE = replace(fake.ENGINE, name="drops-provider-options", open=opened, options=Options)
