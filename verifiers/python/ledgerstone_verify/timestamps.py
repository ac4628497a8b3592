"""Time-stamp tokens (RFC 3161) over checkpoints: docs/time.md, "What is accepted".

The outer layers (RFC 5652, RFC 3161, RFC 5035) are read here; certificates and signatures are left to the package
`cryptography`, without which nothing is said of a token."""

from __future__ import annotations

import base64
import datetime
import hashlib
import hmac
from typing import Any, Iterator, NamedTuple

from .verdict import Damaged, Undecidable

try:
    from cryptography import x509
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
except ImportError:
    x509 = None  # type: ignore[assignment]

SIGNED_DATA = "1.2.840.113549.1.7.2"
TST_INFO = "1.2.840.113549.1.9.16.1.4"
CONTENT_TYPE = "1.2.840.113549.1.9.3"
MESSAGE_DIGEST = "1.2.840.113549.1.9.4"
SIGNING_CERTIFICATE = "1.2.840.113549.1.9.16.2.12"
SIGNING_CERTIFICATE_V2 = "1.2.840.113549.1.9.16.2.47"
SHA256 = "2.16.840.1.101.3.4.2.1"
DIGESTS = {SHA256: "sha256", "2.16.840.1.101.3.4.2.2": "sha384", "2.16.840.1.101.3.4.2.3": "sha512"}
RSA, RSA_PSS, ED25519 = "1.2.840.113549.1.1.1", "1.2.840.113549.1.1.10", "1.3.101.112"
RSA_WITH = {
    "1.2.840.113549.1.1.11": "sha256",
    "1.2.840.113549.1.1.12": "sha384",
    "1.2.840.113549.1.1.13": "sha512",
}
ECDSA_WITH = {"1.2.840.10045.4.3.2": "sha256", "1.2.840.10045.4.3.3": "sha384", "1.2.840.10045.4.3.4": "sha512"}
LONGEST_PATH = 6
EPOCH = datetime.datetime(1970, 1, 1)


class Told(NamedTuple):
    """What a good token says, in Unix milliseconds."""

    gen_time_ms: int
    accuracy_ms: int | None


class Item(NamedTuple):
    """One element of DER."""

    tag: int
    body: bytes
    raw: bytes

    def items(self) -> list["Item"]:
        return list(_items(self.body))

    def expect(self, tag: int) -> "Item":
        if self.tag != tag:
            raise Damaged("malformed timestamp token: tag %#04x where %#04x must be" % (self.tag, tag))
        return self

    def sequence(self) -> list["Item"]:
        return self.expect(0x30).items()

    def oid(self) -> str:
        body = self.expect(0x06).body
        if not body or body[-1] & 0x80:
            raise Damaged("malformed timestamp token: an object identifier")
        arcs, value = [], 0
        for byte in body:
            value = value << 7 | byte & 0x7F
            if not byte & 0x80:
                arcs.append(value)
                value = 0
        first = min(arcs[0] // 40, 2)
        return ".".join(map(str, [first, arcs[0] - 40 * first, *arcs[1:]]))

    def integer(self) -> int:
        if not self.body or len(self.body) > 1 and self.body[0] == 0 and self.body[1] < 0x80:
            raise Damaged("malformed timestamp token: a number")
        return int.from_bytes(self.body, "big", signed=True)


def _items(data: bytes) -> Iterator[Item]:
    at = 0
    while at < len(data):
        begin, tag = at, data[at]
        if tag & 0x1F == 0x1F or at + 2 > len(data):
            raise Damaged("malformed timestamp token: it ends early")
        length = data[at + 1]
        at += 2
        if length >= 0x80:
            count = length & 0x7F
            spelt = data[at : at + count]
            length = int.from_bytes(spelt, "big")
            at += count
            if not 1 <= count <= 4 or len(spelt) != count or spelt[0] == 0 or length < 0x80:
                raise Damaged("malformed timestamp token: a length")
        if at + length > len(data):
            raise Damaged("malformed timestamp token: it ends early")
        yield Item(tag, data[at : at + length], data[begin : at + length])
        at += length


def _only(items: list[Item], what: str) -> Item:
    if len(items) != 1:
        raise Damaged("malformed timestamp token: %d %s" % (len(items), what))
    return items[0]


class Token:
    """A token as far as nothing but its bytes is needed."""

    def __init__(self, data: bytes):
        outer = _only(list(_items(data)), "outermost elements").sequence()
        if len(outer) != 2 or outer[0].oid() != SIGNED_DATA:
            raise Damaged("malformed timestamp token: no signed data")
        fields = _only(outer[1].expect(0xA0).items(), "signed data").sequence()
        if len(fields) < 4 or fields[0].expect(0x02).integer() != 3:
            raise Damaged("malformed timestamp token: signed data of an unknown version")
        content = fields[2].sequence()
        if len(content) != 2 or content[0].oid() != TST_INFO:
            raise Damaged("malformed timestamp token: what is signed is no timestamp")
        self.content = _only(content[1].expect(0xA0).items(), "contents").expect(0x04).body
        self.certificates: list[bytes] = []
        for field in fields[3:-1]:
            if field.tag != 0xA0 or self.certificates:
                raise Damaged("malformed timestamp token: revocation lists")
            self.certificates = [item.expect(0x30).raw for item in field.items()]
        self._read_signer(_only(fields[-1].expect(0x31).items(), "signers"))
        self._read_info(_only(list(_items(self.content)), "contents"))

    def _read_signer(self, signer: Item) -> None:
        fields = signer.sequence()
        if len(fields) != 6 or fields[0].expect(0x02).integer() not in (1, 3):
            raise Damaged("malformed timestamp token: its signer has other fields than it must")
        self.digest = fields[2].sequence()[0].oid()
        attributes = fields[3]
        attributes.expect(0xA0)
        # What is signed is the set as such, not as a field (RFC 5652 section 5.4).
        self.signed = b"\x31" + attributes.raw[1:]
        self.algorithm = fields[4].sequence()
        self.signature = fields[5].expect(0x04).body
        self.attributes: dict[str, Item] = {}
        for attribute in attributes.items():
            name, values = attribute.sequence()
            if name.oid() in self.attributes:
                raise Damaged("malformed timestamp token: an attribute is there twice")
            self.attributes[name.oid()] = _only(values.expect(0x31).items(), "values of an attribute")

    def _read_info(self, info: Item) -> None:
        fields = info.sequence()
        if len(fields) < 5 or fields[0].expect(0x02).integer() != 1:
            raise Damaged("malformed timestamp token: a timestamp of an unknown version")
        algorithm, imprint = fields[2].sequence()
        self.imprint_algorithm, self.imprint = algorithm.sequence()[0].oid(), imprint.expect(0x04).body
        self.gen_time = _time(fields[4].expect(0x18).body)
        self.accuracy_ms: int | None = None
        for field in fields[5:]:
            if field.tag == 0x30:
                parts = {part.tag: part.integer() for part in field.items()}
                if not set(parts) <= {0x02, 0x80, 0x81}:
                    raise Damaged("malformed timestamp token: its accuracy")
                self.accuracy_ms = parts.get(0x02, 0) * 1000 + parts.get(0x80, 0) + (parts.get(0x81, 0) > 0)
            elif field.tag == 0xA1:
                extensions = [item.sequence() for item in field.items()]
                if any(len(extension) == 3 and extension[1].body != b"\0" for extension in extensions):
                    raise Undecidable("a critical extension of a timestamp that is not known here")
            elif field.tag not in (0x01, 0x02, 0xA0):
                raise Damaged("malformed timestamp token: a field of a timestamp that is not known")

    @property
    def gen_time_ms(self) -> int:
        return (self.gen_time - EPOCH) // datetime.timedelta(milliseconds=1)


def _time(text: bytes) -> datetime.datetime:
    """GeneralizedTime as RFC 3161 section 2.4.2 has it."""
    whole, _, fraction = text.decode("ascii", "replace").partition(".")
    if fraction:
        whole, fraction = whole + "Z", fraction[:-1] if fraction.endswith("Z") else "x"
    try:
        if len(whole) != 15 or (fraction and (not fraction.isdigit() or fraction.endswith("0"))):
            raise ValueError
        time = datetime.datetime.strptime(whole, "%Y%m%d%H%M%SZ")
    except ValueError:
        raise Damaged("malformed timestamp token: its time")
    return time + datetime.timedelta(microseconds=int((fraction + "000000")[:6]))


class Authorities:
    """Certificates of those whose tokens the auditor believes."""

    def __init__(self, pem: bytes):
        if x509 is None:
            raise Undecidable("certificates can't be read: there is no Python package `cryptography`")
        try:
            known = x509.load_pem_x509_certificates(pem)
        except ValueError as error:
            raise Undecidable("no certificates of time-stamp authorities: %s" % error)
        self.roots = [one for one in known if one.issuer == one.subject and _issued(one, one)]
        self.others = [one for one in known if one not in self.roots]
        if not self.roots:
            raise Undecidable("none of the certificates of time-stamp authorities is its own issuer")

    def judge(self, body: bytes, data: bytes) -> Told:
        """Raises Damaged where the token is not good, Undecidable where nobody known has signed it."""
        try:
            return self._judge(body, Token(data))
        except (IndexError, ValueError) as error:
            raise Damaged("malformed timestamp token: %s" % error)

    def _judge(self, body: bytes, token: Token) -> Told:
        if token.imprint_algorithm != SHA256:
            raise Undecidable("a timestamp over another digest than SHA-256")
        if not hmac.compare_digest(token.imprint, hashlib.sha256(body).digest()):
            raise Damaged("the timestamp is over other data")
        own, others = self._signer(token)
        _check_attributes(token, own)
        _check_signature(token, own.public_key())
        _check_for_time(own)
        self._check_path(own, others, token.gen_time)
        return Told(token.gen_time_ms, token.accuracy_ms)

    def _signer(self, token: Token) -> tuple[Any, list[Any]]:
        """The certificate that the token names inside what it signs, and the others at hand."""
        own, others = None, list(self.others)
        found = [(der, _certificate(der)) for der in token.certificates]
        known = [(one.public_bytes(serialization.Encoding.DER), one) for one in self.others]
        for der, certificate in found + known:
            if certificate is not None and own is None and _is_named(token, der):
                own = certificate
            elif certificate is not None:
                others.append(certificate)
        if own is None:
            raise Undecidable("the certificate of a timestamp's signer is not at hand")
        return own, others

    def _check_path(self, own: Any, others: list[Any], time: datetime.datetime) -> None:
        if not _valid(own, time):
            raise Damaged("the certificate of the timestamp's signer was not valid when it was made")
        seen, ends = [own], [own]
        for _ in range(LONGEST_PATH):
            if any(one in self.roots or _issued(one, root) and _valid(root, time) for one in ends for root in self.roots):
                return
            ends = [
                other
                for other in others
                if other not in seen and _may_issue(other) and _valid(other, time) and any(_issued(end, other) for end in ends)
            ]
            seen += ends
        if any(_issued(one, root) for one in seen for root in self.roots):
            raise Damaged("the authority's certificate was not valid when the timestamp was made")
        raise Undecidable("a timestamp by nobody that leads to the given authorities")


def _certificate(der: bytes) -> Any:
    try:
        return x509.load_der_x509_certificate(der)
    except ValueError:
        return None


def _named(token: Token) -> tuple[str, bytes]:
    """How the signer's certificate is named: digest and hash."""
    second = token.attributes.get(SIGNING_CERTIFICATE_V2)
    first = token.attributes.get(SIGNING_CERTIFICATE)
    if second is not None:
        fields = second.sequence()[0].sequence()[0].sequence()
        name = "sha256"
        if fields[0].tag == 0x30:
            name = DIGESTS.get(fields[0].sequence()[0].oid(), "")
            fields = fields[1:]
        if not name:
            raise Undecidable("a timestamp's certificate is named by an unknown digest")
        return name, fields[0].expect(0x04).body
    if first is None:
        raise Damaged("the timestamp does not name its certificate inside what it signs")
    return "sha1", first.sequence()[0].sequence()[0].sequence()[0].expect(0x04).body


def _is_named(token: Token, der: bytes) -> bool:
    name, digest = _named(token)
    return hmac.compare_digest(hashlib.new(name, der).digest(), digest)


def _check_attributes(token: Token, own: Any) -> None:
    kind, digest = token.attributes.get(CONTENT_TYPE), token.attributes.get(MESSAGE_DIGEST)
    if token.digest not in DIGESTS:
        raise Undecidable("a timestamp signed over another digest than SHA-256, SHA-384 or SHA-512")
    expected = hashlib.new(DIGESTS[token.digest], token.content).digest()
    if kind is None or kind.oid() != TST_INFO or digest is None or digest.expect(0x04).body != expected:
        raise Damaged("the timestamp is not what its signature is over")


def _check_signature(token: Token, key: Any) -> None:
    oid = token.algorithm[0].oid()
    try:
        if isinstance(key, rsa.RSAPublicKey):
            if key.key_size < 2048:
                raise Undecidable("a timestamp signed with an RSA key of %d bits" % key.key_size)
            name = RSA_WITH.get(oid, DIGESTS[token.digest] if oid in (RSA, RSA_PSS) else "")
            scheme: Any = padding.PKCS1v15()
            if oid == RSA_PSS:
                chosen = _hash(DIGESTS[token.digest])
                scheme = padding.PSS(padding.MGF1(chosen), chosen.digest_size)
            if not name:
                raise Undecidable("a timestamp with a signature of an unknown kind")
            key.verify(token.signature, token.signed, scheme, _hash(name))
        elif isinstance(key, ec.EllipticCurvePublicKey) and key.curve.name in ("secp256r1", "secp384r1") and oid in ECDSA_WITH:
            key.verify(token.signature, token.signed, ec.ECDSA(_hash(ECDSA_WITH[oid])))
        elif isinstance(key, ed25519.Ed25519PublicKey) and oid == ED25519:
            key.verify(token.signature, token.signed)
        else:
            raise Undecidable("a timestamp with a signature of an unknown kind")
    except InvalidSignature:
        raise Damaged("the signature of the timestamp does not verify")


def _hash(name: str) -> Any:
    return {"sha256": hashes.SHA256, "sha384": hashes.SHA384, "sha512": hashes.SHA512}[name]()


def _extension(certificate: Any, kind: Any) -> Any:
    try:
        return certificate.extensions.get_extension_for_class(kind)
    except x509.ExtensionNotFound:
        return None
    except ValueError as error:
        raise Damaged("a certificate of a timestamp is malformed: %s" % error)


def _check_for_time(own: Any) -> None:
    use = _extension(own, x509.ExtendedKeyUsage)
    if use is None or not use.critical or list(use.value) != [x509.oid.ExtendedKeyUsageOID.TIME_STAMPING]:
        raise Damaged("the timestamp's certificate is not for time-stamping alone")
    key = _extension(own, x509.KeyUsage)
    if key is not None and not (key.value.digital_signature or key.value.content_commitment):
        raise Damaged("the timestamp's certificate is not for signatures")


def _may_issue(certificate: Any) -> bool:
    basic, key = _extension(certificate, x509.BasicConstraints), _extension(certificate, x509.KeyUsage)
    return basic is not None and basic.value.ca and (key is None or key.value.key_cert_sign)


def _issued(certificate: Any, issuer: Any) -> bool:
    try:
        certificate.verify_directly_issued_by(issuer)
        return True
    except (ValueError, TypeError, InvalidSignature):
        return False


def _valid(certificate: Any, time: datetime.datetime) -> bool:
    if hasattr(certificate, "not_valid_before_utc"):
        aware = time.replace(tzinfo=datetime.timezone.utc)
        return certificate.not_valid_before_utc <= aware <= certificate.not_valid_after_utc
    return certificate.not_valid_before <= time <= certificate.not_valid_after


class Times:
    """The timestamps of an evidence file, and what they prove."""

    def __init__(self, authorities: Authorities, origin: str):
        self._authorities = authorities
        self._origin = origin
        self._good: list[tuple[int, bytes, int]] = []
        self._claims: list[tuple[int, int, bytes]] = []
        self._shown: dict[int, bytes] = {}
        self.unknown = 0

    def show(self, size: int, root: bytes) -> None:
        """A checkpoint of the ledger's tree."""
        self._shown[size] = root

    def record(self, index: int, members: dict[str, Any]) -> None:
        """A record of a timestamp. Raises Damaged."""
        if members["size"] > index:
            raise Damaged("index %d: a timestamp of a larger tree than there was before it" % index)
        self._claims.append((index, members["size"], members["root"]))
        token = base64.b64decode(members["token"])
        told = self.take(members["size"], members["root"], token, "index %d" % index)
        if told is not None and told != (members["gen_time_ms"], members.get("accuracy_ms")):
            raise Damaged("index %d: the record says another time than its timestamp token" % index)

    def take(self, size: int, root: bytes, token: bytes, where: str) -> Told | None:
        """A token over a checkpoint; None if nobody known has made it. Raises Damaged."""
        body = "%s\n%d\n%s\n" % (self._origin, size, base64.b64encode(root).decode())
        try:
            told = self._authorities.judge(body.encode(), token)
        except Undecidable:
            self.unknown += 1
            return None
        except Damaged as error:
            raise Damaged("%s: %s" % (where, error))
        self._good.append((size, root, told.gen_time_ms))
        return told

    def finish(self, end: int) -> tuple[list[str], tuple[int, int] | None, list[tuple[int, int]]]:
        """What is wrong; of those that cover all before `end`, time and size of the earliest; those that count."""
        wrong = [
            "index %d: a timestamp of another tree than the ledger's" % index
            for index, size, root in self._claims
            if self._shown.get(size, root) != root
        ]
        counting = [(time, size) for size, root, time in self._good if self._shown.get(size) == root]
        covering = sorted(one for one in counting if one[1] >= end)
        return wrong, covering[0] if covering else None, counting

    def good(self) -> int:
        return len(self._good)
