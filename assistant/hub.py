"""Model files on Hugging Face. The only importer of huggingface_hub, which takes a second to import: so only in need.

Where the catalog pins no hash, the hash that the hub states for the file is what its bytes must give.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator
from pathlib import Path

from assistant.catalog import HuggingFaceFile, ModelFile
from assistant.errors import DownloadFailed
from assistant.sink import Sink, Watch, require_space, wrong_hash

RETRIES = 5  # in a row without a byte of progress
RETRY_S = 1.0


class _Broken(Exception):
    """The connection failed or ended too early; another try goes on from there."""


def fetch(file: ModelFile, source: HuggingFaceFile, folder: Path, watch: Watch) -> str:
    """Puts `file` into the models folder; returns its sha256. `NAME.part` of an earlier try is continued.

    Raises DownloadFailed (no network, no access, stopped), ModelDamaged (the hash does not fit; the file is not put
    in place) and StorageError.
    """
    url, promised, size = _promise(source, watch)
    if file.sha256 and len(promised) == len(file.sha256) and promised != file.sha256:
        raise wrong_hash(f"{url} is not the file that {watch.name} needs", file.sha256, promised, watch)
    with Sink(folder / file.name, resume=True) as sink:
        if sink.written > size:
            sink.restart()
        require_space(folder, size - sink.written, watch)
        _fill(url, sink, size, watch)
        return sink.place(file.sha256 or promised, watch)


def _promise(source: HuggingFaceFile, watch: Watch) -> tuple[str, str, int]:
    """The file's address, the hash the hub states for it (sha256, or git's sha1 where it is small), and its bytes."""
    os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"  # the library reads it once, when it is imported
    from huggingface_hub import get_hf_file_metadata, hf_hub_url
    from huggingface_hub.errors import HTTPError  # type: ignore[attr-defined]

    url = hf_hub_url(source.repo, source.filename, revision=source.revision)
    try:
        metadata = get_hf_file_metadata(url)
    except (HTTPError, OSError) as error:
        raise DownloadFailed(
            f"Hugging Face does not give {source.repo}/{source.filename}: {_one_line(error)}",
            f"Check the network (HF_ENDPOINT names a mirror, `hf auth login` opens gated models); {watch.hint}",
        ) from error
    if metadata.size is None or not re.fullmatch(r"[0-9a-f]{40}|[0-9a-f]{64}", metadata.etag or ""):
        raise DownloadFailed(f"{url} states no size and hash to check the file against.", "Use another HF_ENDPOINT.")
    return url, str(metadata.etag), metadata.size


def _fill(url: str, sink: Sink, size: int, watch: Watch) -> None:
    failures = 0
    while sink.written < size:
        before = sink.written
        watch.report(f"fetching {watch.name}", sink.written, size)
        try:
            _pour(url, sink, size, watch)
        except _Broken as error:
            failures = 1 if sink.written > before else failures + 1
            if failures > RETRIES:
                raise DownloadFailed(f"{url} broke off: {error}.", f"Check the network; {watch.hint}") from error
            time.sleep(RETRY_S)


def _pour(url: str, sink: Sink, size: int, watch: Watch) -> None:
    for start, block in _blocks(url, sink.written):
        if start == 0:
            sink.restart()
        sink.write(block)
        watch.report(f"fetching {watch.name}", sink.written, size)
    if sink.written < size:
        raise _Broken(f"{sink.written:,} of {size:,} bytes came")


def _blocks(url: str, start: int) -> Iterator[tuple[int, bytes]]:
    """Blocks of the file with their offsets: from `start` on, or from 0 where the server knows no ranges."""
    from huggingface_hub import constants, get_session, get_token, hf_raise_for_status
    from huggingface_hub.errors import HTTPError  # type: ignore[attr-defined]

    headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={start}-"} if start else {})
    if token := get_token():
        headers["Authorization"] = f"Bearer {token}"
    timeout = constants.HF_HUB_DOWNLOAD_TIMEOUT
    try:
        with get_session().stream("GET", url, headers=headers, timeout=timeout) as response:
            hf_raise_for_status(response)
            offset = start if response.status_code == 206 else 0
            for block in response.iter_bytes():  # as they come: a broken connection loses none
                yield offset, block
                offset += len(block)
    except (HTTPError, OSError) as error:
        raise _Broken(_one_line(error)) from error


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__
