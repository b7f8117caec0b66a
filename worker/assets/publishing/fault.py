"""What a store answered when a call failed: read out of the errors that obstore raises."""

import re
from dataclasses import dataclass

from obstore.exceptions import AlreadyExistsError, BaseError

_STATUS = re.compile(r"status code: (\d{3})")
_CODE = re.compile(r"<Code>(\w+)</Code>|\(code: (\w+)\)")
_MESSAGE = re.compile(r"<Message>([^<]*)</Message>")
_TOO_MANY, _SERVER_ERRORS = 429, range(500, 600)
_DENIED = {401, 403}
_MOVED = range(300, 400)

_LONGEST = 300
#: The server's own words for "try again".
_PASSING = frozenset(
    {
        "BadDigest",
        "ConditionalRequestConflict",
        "InternalError",
        "OperationAborted",
        "RequestTimeout",
        "ServiceUnavailable",
        "SlowDown",
        "Throttling",
        "XAmzContentChecksumMismatch",
        "XAmzContentSHA256Mismatch",
    }
)
_CREDENTIALS = frozenset(
    {"ExpiredToken", "InvalidAccessKeyId", "InvalidToken", "SignatureDoesNotMatch"}
)
#: A server without conditional writes.
UNCONDITIONAL = "store-unconditional"
_NO_S3 = ("ETag Header missing", "Got invalid", "invalid XML", "ill-formed")
_ON_DISK = ("(os error ", "LocalFileSystem error")
#: Where a machine in a cloud asks for its credentials.
_METADATA = ("169.254.169.254", "169.254.170.2")

#: Raised out of obstore for a URL of which it can make no request; it has no public name.
_PANIC = "RustPanic"
_OWN_PROBLEM = {
    "NoSuchBucket": "store-missing",
    "NotImplemented": UNCONDITIONAL,
    _PANIC: "bad-store-url",
}
_HINTS = {
    "bad-store-url": "Correct AWS_ENDPOINT_URL, or the URL of the store.",
    UNCONDITIONAL: "Update that server to one that knows If-None-Match.",
    "store-credentials": "Check AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN.",
    "store-denied": "Allow these credentials to list, get, put and delete objects there.",
    "store-missing": "Create the bucket, or correct its name in the URL of the store.",
    "store-unreachable": "Check AWS_ENDPOINT_URL and whether that server runs; then run it again.",
    "store-not-s3": "Something else than an S3 API answers there: correct AWS_ENDPOINT_URL.",
    "store-region": "Set AWS_REGION to the region of the bucket.",
    "store-folder": "Check the folder's owner, mode and links, and the free space.",
    "store-refused": "The store says what it does not take; correct that, then run it again.",
    "store-failed": "Run it again; what is stored already is not sent again.",
}


class Damaged(Exception):
    """The store holds other bytes than were sent (S3 says: BadDigest)."""


@dataclass(frozen=True, slots=True)
class Fault:
    """A failed call, as its server told it."""

    said: str
    status: int | None = None
    #: S3's word for it, as `NoSuchBucket`.
    code: str | None = None

    @property
    def is_passing(self) -> bool:
        if self.code in _PASSING:
            return True
        if self.status is None:
            return self.problem == "store-unreachable"
        if self.problem == UNCONDITIONAL:
            return False
        return self.status == _TOO_MANY or self._is_server_error

    @property
    def problem(self) -> str:
        """The code of the problem."""
        if self.code in _CREDENTIALS or any(place in self.said for place in _METADATA):
            return "store-credentials"
        if self.code in _OWN_PROBLEM:
            return _OWN_PROBLEM[self.code]
        if self.status is None:
            return self._without_answer
        return self._by_status

    @property
    def hint(self) -> str:
        return _HINTS[self.problem]

    @property
    def _without_answer(self) -> str:
        if any(sign in self.said for sign in _ON_DISK):
            return "store-folder"
        if any(sign in self.said for sign in _NO_S3):
            return "store-not-s3"
        return "store-unreachable" if "HTTP error" in self.said else "store-failed"

    @property
    def _by_status(self) -> str:
        if self.code and self.status in _DENIED:
            return "store-denied"
        if self.status in _MOVED or self.code == "AuthorizationHeaderMalformed":
            return "store-region"
        if self._is_server_error or self.status == _TOO_MANY or self.code in _PASSING:
            return "store-failed"
        return "store-refused" if self.code else "store-not-s3"

    @property
    def _is_server_error(self) -> bool:
        return self.status in _SERVER_ERRORS


def fault_of(error: Exception) -> Fault | None:
    """None: an answer (there, not there) or an error of another kind, which is to be raised."""
    if isinstance(error, Damaged):
        return Fault(str(error), None, "BadDigest")
    if type(error).__name__ == _PANIC:
        return Fault("no request can be made of that URL", None, _PANIC)
    if not isinstance(error, BaseError | OSError):
        return None
    text = str(error).partition("\n\nDebug source")[0]
    fault = _read(text)
    if isinstance(error, FileNotFoundError):
        return fault if fault.code == "NoSuchBucket" else None
    if isinstance(error, AlreadyExistsError):
        return fault if fault.code in _PASSING else None
    return fault


def _read(text: str) -> Fault:
    status, code, message = _STATUS.search(text), _CODE.search(text), _MESSAGE.search(text)
    word = (code.group(1) or code.group(2)) if code else None
    number = int(status.group(1)) if status else None
    if word and number:
        return Fault(f"{number} {word}: {message.group(1) if message else text}", number, word)
    first = text.splitlines()[0] if text else "no word of it"
    return Fault(first[:_LONGEST], number, word)
