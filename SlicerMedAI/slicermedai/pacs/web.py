"""A DICOM archive by DICOMweb (PS3.18): STOW-RS, QIDO-RS and WADO-RS.

QIDO and WADO are dicomweb-client's. STOW is written here: dicomweb-client writes each data set anew, where the bytes
must stay, and drops the body of an answer 409, which says why each instance failed. Lives in child processes alone.
"""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import requests
from dicomweb_client.api import DICOMwebClient
from pydicom import Dataset

from slicermedai.dicom.files import READ_ERRORS, quiet
from slicermedai.domain.storage import atomic_file
from slicermedai.errors import PeerError, PeerRefusedError, PeerUnreachableError
from slicermedai.pacs.objects import ObjectRef, is_uid
from slicermedai.pacs.peers import Peer
from slicermedai.pacs.quiet_logs import silence
from slicermedai.pacs.store import KEYS, Level, Outcome, Pace, Record, SendItem, Verdict, instances, matches
from slicermedai.pacs.tls import client_context
from slicermedai.pacs.token import bearer_token

silence()
_CHUNK = 1 << 20
_PAGE = 1000
_LOCAL = ("localhost", "127.0.0.1", "::1")
_UNSUPPORTED = 0x0122


class WebStore:
    """Implements :class:`slicermedai.pacs.store.Store` over an archive's DICOMweb services.

    Raises PeerError where a token would go over plain HTTP to another machine, or is not in the keyring.
    """

    def __init__(self, peer: Peer) -> None:
        self._peer = peer
        self._url = peer.url.rstrip("/")
        self._session = _session(peer)
        self._client = DICOMwebClient(self._url, session=self._session, timeout=peer.timeout)
        self._client.set_http_retry_params(retry=False)

    def echo(self) -> None:
        """A QIDO search for at most one study."""
        with self._translated():
            self._client.search_for_studies(limit=1)

    def send(self, items: Sequence[SendItem]) -> Iterator[Outcome]:
        """STOW-RS (PS3.18 10.5), one request an instance: what one of them meets does not touch the others."""
        self.echo()  # where nobody answers, no instance is to blame
        for item in items:
            try:
                yield self._store(item)
            except PeerUnreachableError:
                reason = "the connection was lost while it was sent"
                yield _outcome(item.ref, Verdict.FAILED, reason=reason, unsure=True)
                raise

    def find(self, level: Level, keys: Mapping[str, str]) -> list[Record]:
        """QIDO-RS (PS3.18 10.6), page by page."""
        found: list[Record] = []
        while True:
            page = self._page(level, keys, len(found))
            found += page
            if len(page) < _PAGE:
                return [record for record in found if matches(record, keys)]

    def retrieve(self, study_uid: str, folder: Path, *, pace: Pace) -> None:
        """WADO-RS (PS3.18 10.4), one request an instance, in whatever transfer syntax it is kept."""
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        for record in instances(self, study_uid):
            pace()
            series, uid = record["SeriesInstanceUID"], record["SOPInstanceUID"]
            if not is_uid(uid):
                continue
            with self._translated():
                dataset = self._client.retrieve_instance(
                    study_uid, series, uid, media_types=(("application/dicom", "*"),)
                )
            with atomic_file(folder / f"{uid}.dcm") as partial, quiet():
                dataset.save_as(partial, enforce_file_format=True)

    def verify(self, refs: Sequence[ObjectRef]) -> frozenset[str]:
        """QIDO-RS for the instances of each series."""
        places = dict.fromkeys((ref.study_uid, ref.series_uid) for ref in refs)
        found = {
            record["SOPInstanceUID"]
            for study, series in places
            for record in self.find(Level.IMAGE, {"StudyInstanceUID": study, "SeriesInstanceUID": series})
        }
        return frozenset(found & {ref.sop_instance_uid for ref in refs})

    def _page(self, level: Level, keys: Mapping[str, str], offset: int) -> list[Record]:
        filters = dict(keys)
        search: dict[str, Any] = {"fields": list(KEYS[level]), "limit": _PAGE, "offset": offset}
        with self._translated():
            if level is Level.STUDY:
                answer = self._client.search_for_studies(search_filters=filters, **search)
            else:
                uid = {"study_instance_uid": filters.pop("StudyInstanceUID", None)}
                if level is Level.IMAGE:
                    uid["series_instance_uid"] = filters.pop("SeriesInstanceUID", None)
                ask = self._client.search_for_series if level is Level.SERIES else self._client.search_for_instances
                answer = ask(**uid, search_filters=filters, **search)
        return [_record(one, level) | _given(level, keys) for one in answer]

    def _store(self, item: SendItem) -> Outcome:
        boundary = uuid.uuid4().hex
        headers = {
            "Content-Type": f'multipart/related; type="application/dicom"; boundary={boundary}',
            "Accept": "application/dicom+json",
        }
        with self._translated():
            answer = self._session.post(f"{self._url}/studies", data=_body(item.file, boundary), headers=headers)
        if answer.status_code in (200, 202, 409):
            return _judged(item.ref, answer)
        if answer.status_code in (400, 413, 415):
            return _outcome(item.ref, Verdict.REFUSED, reason=f"refused with HTTP status {answer.status_code}")
        if answer.status_code in (401, 403):
            raise PeerRefusedError(f"{self._peer.name}: access was refused", attribute="token")
        return _outcome(item.ref, Verdict.FAILED, reason=f"failed with HTTP status {answer.status_code}")

    @contextlib.contextmanager
    def _translated(self) -> Iterator[None]:
        name = self._peer.name
        try:
            yield
        except requests.exceptions.SSLError as error:
            raise PeerUnreachableError(
                f"{name}: its certificate is not trusted, or ours is not", attribute="tls_ca"
            ) from error
        except requests.HTTPError as error:
            code = 0 if error.response is None else error.response.status_code
            kind = PeerUnreachableError if code >= 500 or code in (408, 429) else PeerRefusedError
            raise kind(f"{name}: the request failed with HTTP status {code}") from error
        except requests.RequestException as error:
            raise PeerUnreachableError(
                f"{name}: no connection ({type(error).__name__})", advice="Is it running?"
            ) from error
        except READ_ERRORS as error:
            raise PeerRefusedError(f"{name}: its answer cannot be understood ({type(error).__name__})") from error


class _Timeouts(requests.adapters.HTTPAdapter):  # type: ignore[misc,unused-ignore]  # requests has no types
    """Every request ends: requests itself has no default timeout."""

    def __init__(self, seconds: float) -> None:
        super().__init__()
        self._seconds = seconds

    def send(self, request: Any, **options: Any) -> Any:
        """Add the timeout to a request that has none."""
        options["timeout"] = options.get("timeout") or self._seconds
        return super().send(request, **options)


def _session(peer: Peer) -> Any:
    session = requests.Session()
    session.max_redirects = 0  # an address that a server names is nobody's destination
    session.trust_env = False  # a proxy or a .netrc of the environment must not see patient data
    session.verify = str(Path(peer.tls_ca).expanduser()) if peer.tls_ca else True
    if peer.tls_certificate:
        session.cert = (str(Path(peer.tls_certificate).expanduser()), str(Path(peer.tls_key).expanduser()))
    client_context(peer)  # requests would say only later, and less, that a certificate cannot be read
    if peer.token:
        _check_channel(peer)
        session.headers["Authorization"] = f"Bearer {bearer_token(peer.name)}"
    for scheme in ("https://", "http://"):
        session.mount(scheme, _Timeouts(peer.timeout))
    return session


def _check_channel(peer: Peer) -> None:
    parts = urlsplit(peer.url)
    if parts.scheme != "https" and parts.hostname not in _LOCAL:
        raise PeerError(
            "a token is not sent over plain HTTP", attribute=f"{peer.name}.url", advice="Use an https address."
        )


def _body(file: Path, boundary: str) -> Iterator[bytes]:
    """One part, PS3.18 8.6.1.2; in pieces, so that the file need not fit into memory."""
    yield f"--{boundary}\r\nContent-Type: application/dicom\r\n\r\n".encode("ascii")
    with file.open("rb") as stream:
        while piece := stream.read(_CHUNK):
            yield piece
    yield f"\r\n--{boundary}--\r\n".encode("ascii")


def _judged(ref: ObjectRef, answer: Any) -> Outcome:
    """The Store Instances Response (PS3.18 annex I): warnings and reasons an instance."""
    try:
        told = Dataset.from_json(answer.json())
    except (*READ_ERRORS, requests.RequestException):
        told = Dataset()
    for failed in told.get("FailedSOPSequence", None) or []:
        code = int(failed.get("FailureReason", 0) or 0)
        final = code == _UNSUPPORTED or 0xA900 <= code <= 0xA9FF
        verdict = Verdict.REFUSED if final else Verdict.FAILED
        return _outcome(ref, verdict, reason=f"failed with reason {code:04X}H", unsupported=code == _UNSUPPORTED)
    done = told.get("ReferencedSOPSequence", None) or []
    if answer.status_code == 409 or not done:
        return _outcome(ref, Verdict.FAILED, reason=f"HTTP status {answer.status_code} without a word on the instance")
    warning = int(done[0].get("WarningReason", 0) or 0)
    return _outcome(ref, Verdict.ACCEPTED, note=f"warning {warning:04X}H" if warning else "")


def _outcome(ref: ObjectRef, verdict: Verdict, **rest: Any) -> Outcome:
    return Outcome(sop_instance_uid=ref.sop_instance_uid, verdict=verdict, **rest)


def _record(answer: Mapping[str, Any], level: Level) -> Record:
    with quiet():
        dataset = Dataset.from_json(dict(answer))
    return {name: _text(dataset.get(name)) for name in KEYS[level]}


def _given(level: Level, keys: Mapping[str, str]) -> Record:
    """UIDs that were in the address of a search need not come back in its answer."""
    uids = {"StudyInstanceUID"} if level is Level.SERIES else {"StudyInstanceUID", "SeriesInstanceUID"}
    return {name: value for name, value in keys.items() if name in uids and level is not Level.STUDY}


def _text(value: Any) -> str:
    if value is None:
        return ""
    return "\\".join(str(one) for one in value) if isinstance(value, (list, tuple)) else str(value)
