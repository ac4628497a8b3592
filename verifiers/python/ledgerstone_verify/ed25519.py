"""Ed25519 signatures: by the package `cryptography` where it is installed, else by RFC 8032 section 5.1 as written."""

from __future__ import annotations

import hashlib

try:
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
except ImportError:
    Ed25519PublicKey = None

P = 2**255 - 19
Q = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, -1, P) % P


def verify(key: bytes, message: bytes, signature: bytes) -> bool:
    if len(key) != 32 or len(signature) != 64:
        return False
    if Ed25519PublicKey is None:
        return verify_plainly(key, message, signature)
    try:
        Ed25519PublicKey.from_public_bytes(key).verify(signature, message)
        return True
    except (InvalidSignature, ValueError):
        return False


def public_key(seed: bytes) -> bytes:
    """The public key of a private one."""
    digest = bytearray(hashlib.sha512(seed).digest()[:32])
    digest[0] &= 248
    digest[31] = digest[31] & 127 | 64
    x, y = _multiply(int.from_bytes(digest, "little"), _BASE)
    return (y | (x & 1) << 255).to_bytes(32, "little")


def verify_plainly(key: bytes, message: bytes, signature: bytes) -> bool:
    """Takes some hundredths of a second, and needs nothing."""
    a, r, s = _decompress(key), _decompress(signature[:32]), int.from_bytes(signature[32:], "little")
    if a is None or r is None or s >= Q:
        return False
    k = int.from_bytes(hashlib.sha512(signature[:32] + key + message).digest(), "little") % Q
    return _multiply(s, _BASE) == _add(r, _multiply(k, a))


Point = "tuple[int, int]"


def _decompress(data: bytes) -> Point | None:
    y = int.from_bytes(data, "little") & (1 << 255) - 1
    if y >= P:
        return None
    square = (y * y - 1) * pow(D * y * y + 1, -1, P) % P
    x = pow(square, (P + 3) // 8, P)
    if x * x % P != square:
        x = x * pow(2, (P - 1) // 4, P) % P
    if x * x % P != square or (x == 0 and data[31] >> 7):
        return None
    return (P - x if x & 1 != data[31] >> 7 else x, y)


def _add(a: Point, b: Point) -> Point:
    product = D * a[0] * b[0] * a[1] * b[1] % P
    x = (a[0] * b[1] + a[1] * b[0]) * pow(1 + product, -1, P) % P
    y = (a[1] * b[1] + a[0] * b[0]) * pow(1 - product, -1, P) % P
    return (x, y)


def _multiply(scalar: int, point: Point) -> Point:
    result = (0, 1)
    while scalar:
        if scalar & 1:
            result = _add(result, point)
        point = _add(point, point)
        scalar >>= 1
    return result


_BASE = _decompress((4 * pow(5, -1, P) % P).to_bytes(32, "little"))
