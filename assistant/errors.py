"""Every error a user can meet.

    AssistantError
    ├── BadInput              exit 2, HTTP 400: what was asked cannot be done as asked
    │   ├── BadSettings
    │   ├── BadFilter         what should choose the documents to look in
    │   ├── BadFormat         the schema or grammar that the answer should follow
    │   ├── EmptyQuestion
    │   ├── QuestionTooLong   HTTP 413
    │   ├── UnknownCollection HTTP 404
    │   ├── UnknownDocument   HTTP 404
    │   ├── UnknownModel      HTTP 404
    │   ├── EmptyCollection   HTTP 422
    │   ├── UnreadableFile    HTTP 422
    │   │   ├── EmptyFile         no text in it
    │   │   ├── EncryptedFile     needs a password
    │   │   ├── ScannedFile       only pictures of text
    │   │   │   └── OcrMissing        and nothing here that could read them; another run may
    │   │   ├── DamagedFile       not as its format demands
    │   │   └── ReaderFailed      took too long, too much memory, or the reader crashed
    │   ├── UnsupportedFile   HTTP 415
    │   ├── FileTooLarge      HTTP 413
    │   └── EmbedderMismatch
    ├── ModelError            exit 1, HTTP 503
    │   ├── ModelMissing
    │   ├── ModelDamaged
    │   └── DownloadFailed
    ├── StorageError          exit 1, HTTP 503: no space, no permission, locked
    │   └── HomeInUse         another process writes to ASSISTANT_HOME
    ├── Busy                  exit 1, HTTP 429: try again later
    └── EngineFailed          exit 1, HTTP 503

A message says what was wrong and with what value; `hint` says what to do. Both are shown at every door.
"""

from __future__ import annotations

import re


class AssistantError(Exception):
    exit_code = 1
    http_status = 500

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    @property
    def type(self) -> str:
        """The class name in snake case: `UnknownCollection` gives `unknown_collection`."""
        return re.sub(r"(?<!^)(?=[A-Z])", "_", type(self).__name__).lower()

    def __str__(self) -> str:
        return f"{self.message} {self.hint}".strip()


class BadInput(AssistantError):
    exit_code = 2
    http_status = 400


class BadSettings(BadInput): ...


class BadFilter(BadInput): ...


class BadFormat(BadInput): ...


class EmptyQuestion(BadInput): ...


class QuestionTooLong(BadInput):
    http_status = 413


class UnknownCollection(BadInput):
    http_status = 404


class UnknownDocument(BadInput):
    http_status = 404


class UnknownModel(BadInput):
    http_status = 404


class EmptyCollection(BadInput):
    http_status = 422


class UnreadableFile(BadInput):
    http_status = 422


class EmptyFile(UnreadableFile): ...


class EncryptedFile(UnreadableFile): ...


class ScannedFile(UnreadableFile): ...


class OcrMissing(ScannedFile): ...


class DamagedFile(UnreadableFile): ...


class ReaderFailed(UnreadableFile): ...


class UnsupportedFile(BadInput):
    http_status = 415


class FileTooLarge(BadInput):
    http_status = 413


class EmbedderMismatch(BadInput): ...


class ModelError(AssistantError):
    http_status = 503


class ModelMissing(ModelError): ...


class ModelDamaged(ModelError): ...


class DownloadFailed(ModelError): ...


class StorageError(AssistantError):
    http_status = 503


class HomeInUse(StorageError): ...


class Busy(AssistantError):
    http_status = 429
    retry_after_s = 5


class EngineFailed(AssistantError):
    http_status = 503
