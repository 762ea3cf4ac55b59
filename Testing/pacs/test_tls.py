"""TLS, on a real Orthanc: certificates are verified on both sides, by DIMSE and by DICOMweb."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import pytest

from slicermedai.errors import PeerError, PeerUnreachableError
from slicermedai.pacs.objects import read_object
from slicermedai.pacs.peers import open_store
from slicermedai.pacs.store import SendItem, Store, Verdict
from Testing.pacs.certificates import Certificates, make_certificates
from Testing.pacs.objects import make_object, uid_of
from Testing.pacs.orthanc import Orthanc, running
from Testing.pacs.tls_front import tls_front

pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
# pynetdicom leaves the socket of a failed association to the collector


@pytest.fixture(scope="module")
def ours(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return make_certificates(tmp_path_factory.mktemp("ours") / "certificates")


@pytest.fixture(scope="module")
def theirs(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    """Of an authority that nobody here trusts."""
    return make_certificates(tmp_path_factory.mktemp("theirs") / "certificates")


@pytest.fixture(scope="module")
def an_archive_with_tls(tmp_path_factory: pytest.TempPathFactory, ours: Certificates) -> Iterator[Orthanc]:
    options = {
        "DicomTlsEnabled": True,
        "DicomTlsCertificate": ours.server,
        "DicomTlsPrivateKey": ours.server_key,
        "DicomTlsTrustedCertificates": ours.ca,
        "DicomTlsRemoteCertificateRequired": True,
    }
    with running(tmp_path_factory.mktemp("orthanc-tls"), **options) as made, tls_front(made.http_port, ours) as port:
        yield dataclasses.replace(made, scheme="https", http_port=port)


def a_store(archive: Orthanc, kind: str, ca: Certificates, client: Certificates | None) -> Store:
    shown = {} if client is None else {"tls_certificate": client.client, "tls_key": client.client_key}
    return open_store((archive.web if kind == "web" else archive.dimse)(tls_ca=ca.ca, **shown))


@pytest.mark.parametrize("kind", ["dimse", "web"])
def test_certificates_that_are_right_let_objects_through(
    an_archive_with_tls: Orthanc, ours: Certificates, tmp_path: Path, kind: str
) -> None:
    store = a_store(an_archive_with_tls, kind, ours, ours)
    path = make_object(tmp_path, study=f"1.2.3.{len(kind)}")
    (outcome,) = store.send([SendItem(file=path, ref=read_object(path))])
    assert outcome.verdict is Verdict.ACCEPTED
    assert store.verify([read_object(path)]) == {uid_of(path)}


@pytest.mark.parametrize("kind", ["dimse", "web"])
def test_a_server_that_nobody_vouches_for_gets_nothing(
    an_archive_with_tls: Orthanc, ours: Certificates, theirs: Certificates, kind: str
) -> None:
    with pytest.raises(PeerUnreachableError, match="certificate is not trusted"):
        a_store(an_archive_with_tls, kind, theirs, ours).echo()


@pytest.mark.parametrize("kind", ["dimse", "web"])
@pytest.mark.parametrize("who", ["nobody", "stranger"])
def test_a_client_that_nobody_vouches_for_gets_nowhere(
    an_archive_with_tls: Orthanc, ours: Certificates, theirs: Certificates, kind: str, who: str
) -> None:
    client = theirs if who == "stranger" else None
    with pytest.raises(PeerUnreachableError):
        a_store(an_archive_with_tls, kind, ours, client).echo()


def test_a_plain_connection_to_a_server_with_tls_is_said(an_archive_with_tls: Orthanc) -> None:
    with pytest.raises(PeerUnreachableError):
        open_store(an_archive_with_tls.dimse(timeout=2.0)).echo()


def test_a_server_by_another_name_gets_nothing(an_archive_with_tls: Orthanc, ours: Certificates) -> None:
    peer = dataclasses.replace(an_archive_with_tls.dimse(tls_ca=ours.ca), host="localhost")
    with pytest.raises(PeerUnreachableError, match="Hostname mismatch"):
        open_store(peer).echo()


@pytest.mark.parametrize("kind", ["dimse", "web"])
def test_a_certificate_that_is_not_there_is_named(an_archive_with_tls: Orthanc, tmp_path: Path, kind: str) -> None:
    nowhere = Certificates(tmp_path / "nowhere")
    with pytest.raises(PeerError, match="tls_ca"):
        a_store(an_archive_with_tls, kind, nowhere, None).echo()
