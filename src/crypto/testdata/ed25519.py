#!/usr/bin/env python3
"""Ed25519 in plain Python, slow and by the book, for the vectors of the strict rule (crypto/ed25519.h).

    ed25519.py FILE           works out every claim of FILE again and compares
    ed25519.py --write FILE   makes the vectors and writes them

A vector says what each way of verifying answers: `equation` is the equation without cofactor, on
points as they decode, `cofactored` the same times eight, `valid` the strict rule.
"""
import hashlib
import json
import sys

P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, -1, P) % P
ROOT = pow(2, (P - 1) // 4, P)
IDENTITY = (0, 1)


def add(a, b):
    (x1, y1), (x2, y2) = a, b
    t = D * x1 * x2 * y1 * y2 % P
    inverse = pow(1 - t * t, -1, P)  # one for both denominators, 1 + t and 1 - t
    return ((x1 * y2 + x2 * y1) * (1 - t) * inverse % P, (y1 * y2 + x1 * x2) * (1 + t) * inverse % P)


def negate(a):
    return (-a[0] % P, a[1])


def multiply(n, a):
    result = IDENTITY
    while n:
        if n & 1:
            result = add(result, a)
        a, n = add(a, a), n >> 1
    return result


def encode(a, over=0):
    """`over` adds the field's prime that many times: an encoding that is not canonical."""
    y = a[1] + over * P
    assert y < 2**255
    return (y | (a[0] & 1) << 255).to_bytes(32, "little")


def decode(raw):
    """The point, however it is written (ZIP 215), or None if there is none."""
    number = int.from_bytes(raw, "little")
    sign, y = number >> 255, number % 2**255 % P
    square = (y * y - 1) * pow(D * y * y + 1, -1, P) % P
    x = pow(square, (P + 3) // 8, P)
    if x * x % P != square:
        x = x * ROOT % P
    if x * x % P != square:
        return None
    return ((-x % P if x & 1 != sign else x), y)


BASE = decode((4 * pow(5, -1, P) % P).to_bytes(32, "little"))
EIGHTH = multiply(L, decode(bytes([3]) + bytes(31)))  # a point of order 8


def canonical(raw):
    return int.from_bytes(raw, "little") % 2**255 < P


def small(point):
    return multiply(8, point) == IDENTITY


def challenge(r, a, message):
    return int.from_bytes(hashlib.sha512(r + a + message).digest(), "little") % L


def secret(seed):
    h = hashlib.sha512(seed).digest()
    return int.from_bytes(h[:32], "little") & (2**254 - 8) | 2**254, h[32:]


def sign(seed, message):
    s, prefix = secret(seed)
    a = encode(multiply(s, BASE))
    r = int.from_bytes(hashlib.sha512(prefix + message).digest(), "little") % L
    point = encode(multiply(r, BASE))
    return a, point + ((r + challenge(point, a, message) * s) % L).to_bytes(32, "little")


def key_verdict(raw):
    point = decode(raw)
    return point is not None and canonical(raw) and not small(point)


def verdicts(key, message, signature):
    r, s = signature[:32], int.from_bytes(signature[32:], "little")
    big_a, big_r = decode(key), decode(r)
    if big_a is None or big_r is None:
        return {"equation": False, "cofactored": False, "valid": False}
    k = challenge(r, key, message)
    difference = add(multiply(s, BASE), negate(add(big_r, multiply(k, big_a))))
    equation = difference == IDENTITY
    strict = key_verdict(key) and key_verdict(r) and s < L
    return {"equation": equation, "cofactored": small(difference), "valid": equation and strict}


def vector(shows, key, message, signature, **more):
    return {"shows": shows, "key": key.hex(), "message": message.hex(),
            "signature": signature.hex(), **more, **verdicts(key, message, signature)}


def search(make, wanted):
    """The first numbered message for which `make(message)` passes the equations as `wanted` says."""
    for number in range(1000):
        message = b"edge %d" % number
        key, signature = make(message)
        found = verdicts(key, message, signature)
        if (found["equation"], found["cofactored"]) == wanted:
            return key, message, signature
    raise AssertionError("no such message")


RFC8032 = [  # section 7.1: seed, message
    ("RFC 8032 test 1", "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60", ""),
    ("RFC 8032 test 2", "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb", "72"),
    ("RFC 8032 test 3", "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7", "af82"),
    ("RFC 8032 test SHA(abc)", "833fe62409237b9d62ec77587520911e9a759cec1d19755b7da901b96dca3d42",
     "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"
     "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f"),
]
SMALL = "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa"
MIXED = "f7badec5b8abeaf699583992219b7b223f1df3fbbea919844e3f7c554a43dd43"
BOTH = "cdb267ce40c5cd45306fa5d2f29731459387dbf9eb933b7bd5aed9a765b88d4d"
PLAIN = "442aad9f089ad9e14647b1ef9099a1ff4798d78589e66f28eca69c11f582a623"
MINUS = "ec" + "ff" * 31
PAPER = [  # "Taming the many EdDSAs", eprint 2020/1244, table 5: what it shows, key, message, signature
    ("S = 0, A and R of small order", SMALL,
     "8c93255d71dcab10e8f379c26200f3c7bd5f09d9bc3068d3ef4edeb4853022b6",
     "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a" + "00" * 32),
    ("A of small order, R of mixed order", SMALL,
     "9bd9f44f4dcc75bd531b56b2cd280b0bb38fc1cd6d1230e14861d861de092e79",
     MIXED + "a5bb704786be79fc476f91d3f3f89b03984d8068dcf1bb7dfc6637b45450ac04"),
    ("A of mixed order, R of small order", MIXED,
     "aebf3f2601a0c8c5d39cc7d8911642f740b78168218da8471772b35f9d35b9ab",
     SMALL + "8c4bd45aecaca5b24fb97bc10ac27ac8751a7dfe1baff8b953ec9f5833ca260e"),
    ("A and R of mixed order, and the equation holds without cofactor", BOTH,
     "9bd9f44f4dcc75bd531b56b2cd280b0bb38fc1cd6d1230e14861d861de092e79",
     "9046a64750444938de19f227bb80485e92b83fdb4b6506c160484c016cc1852f"
     "87909e14428a7a1d62e9f22f3d3ad7802db02eb2e688b6c52fcd6648a98bd009"),
    ("A and R of mixed order, the equation holds with cofactor only", BOTH,
     "e47d62c63f830dc7a6851a0b1f33ae4bb2f507fb6cffec4011eaccd55b53f56c",
     "160a1cb0dc9c0258cd0a7d23e94d8fa878bcb1925f2c64246b2dee1796bed512"
     "5ec6bc982a269b723e0668e540911a9a6a58921d6925e434ab10aa7940551a09"),
    ("with cofactor only, and only if 8k is not reduced first", BOTH,
     "e47d62c63f830dc7a6851a0b1f33ae4bb2f507fb6cffec4011eaccd55b53f56c",
     "21122a84e0b5fca4052f5b1235c80a537878b38f3142356b2c2384ebad4668b7"
     "e40bc836dac0f71076f9abe3a53f9c03c1ceeeddb658d0030494ace586687405"),
    ("S above the order", PLAIN,
     "85e241a07d148b41e47d62c63f830dc7a6851a0b1f33ae4bb2f507fb6cffec40",
     "e96f66be976d82e60150baecff9906684aebb1ef181f67a7189ac78ea23b6c0e"
     "547f7690a0e2ddcd04d87dbc3490dc19b3b3052f7ff0538cb68afb369ba3a514"),
    ("S far above the order", PLAIN,
     "85e241a07d148b41e47d62c63f830dc7a6851a0b1f33ae4bb2f507fb6cffec40",
     "8ce5b96c8f26d0ab6c47958c9e68b937104cd36e13c33566acd2fe8d38aa1942"
     "7e71f98a473474f2f13f06f97c20d58cc3f54b8bd0d272f42b695dd7e89a8c22"),
    ("R of small order, x = 0 with the sign set; hashed in canonical form", MIXED,
     "9bedc267423725d473888631ebf45988bad3db83851ee85c85e241a07d148b41",
     MINUS + "03be9678ac102edcd92b0210bb34d7428d12ffc5df5f37e359941266a4e35f0f"),
    ("R of small order, x = 0 with the sign set; hashed as written", MIXED,
     "9bedc267423725d473888631ebf45988bad3db83851ee85c85e241a07d148b41",
     MINUS + "ca8c5b64cd208982aa38d4936621a4775aa233aa0505711d8fdcfdaa943d4908"),
    ("A of small order, x = 0 with the sign set; hashed in canonical form", MINUS,
     "e96b7021eb39c1a163b6da4e3093dcd3f21387da4cc4572be588fafae23c155b",
     "a9d55260f765261eb9b84e106f665e00b867287a761990d7135963ee0a7d59dc"
     "a5bb704786be79fc476f91d3f3f89b03984d8068dcf1bb7dfc6637b45450ac04"),
    ("A of small order, x = 0 with the sign set; hashed as written", MINUS,
     "39a591f5321bbe07fd5a23dc2f39d025d74526615746727ceefd6e82ae65c06f",
     "a9d55260f765261eb9b84e106f665e00b867287a761990d7135963ee0a7d59dc"
     "a5bb704786be79fc476f91d3f3f89b03984d8068dcf1bb7dfc6637b45450ac04"),
]


def small_encodings():
    """Every 32 bytes that decode to a point of small order: 8 canonical ones and 6 others."""
    found = []
    for times in range(8):
        point = multiply(times, EIGHTH)
        forms = [encode(point)] + ([encode(point, 1)] if point[1] < 19 else [])
        if point[0] == 0:  # minus nought
            forms += [form[:31] + bytes([form[31] | 0x80]) for form in forms]
        found += [(form, 8 // _common(times, 8)) for form in forms]
    assert len(found) == 14 and len({form for form, _ in found}) == 14
    return found


def _common(a, b):
    while a:
        a, b = b % a, a
    return b


def made_signatures():
    """Edge cases of our own making; the private scalars are small and known."""
    r, s = 1234567, 7654321
    honest = multiply(s, BASE)
    scalar = lambda n: n.to_bytes(32, "little")
    made = []
    for form, order in small_encodings():
        kind = "" if canonical(form) and form in map(encode, (decode(form),)) else ", not canonical"
        made.append((f"A of order {order}{kind}: one signature for many messages",
                     *search(lambda m: (form, encode(multiply(r, BASE)) + scalar(r)), (True, True))))
    for form, order in small_encodings():
        kind = "" if canonical(form) and form in map(encode, (decode(form),)) else ", not canonical"
        lax = lambda m: (encode(honest), form + scalar(challenge(form, encode(honest), m) * s % L))
        made.append((f"R of order {order}{kind}", *search(lax, (order == 1, True))))
    mixed = add(honest, EIGHTH)

    def with_mixed_key(m):
        point = encode(multiply(r, BASE))
        return encode(mixed), point + scalar((r + challenge(point, encode(mixed), m) * s) % L)

    def with_mixed_r(m):
        point = encode(add(multiply(r, BASE), EIGHTH))
        return encode(honest), point + scalar((r + challenge(point, encode(honest), m) * s) % L)

    made.append(("A of mixed order, R plain, and the equation holds", *search(with_mixed_key, (True, True))))
    made.append(("A of mixed order, R plain, with cofactor only", *search(with_mixed_key, (False, True))))
    made.append(("R of mixed order, A plain, with cofactor only", *search(with_mixed_r, (False, True))))
    seed, message = bytes(range(32)), b"loam"
    key, good = sign(seed, message)
    number = int.from_bytes(good[32:], "little")
    made.append(("an honest signature", key, message, good))
    for times in range(1, 16):
        made.append((f"S + {times} L of an honest signature", key, message, good[:32] + scalar(number + times * L)))
    made.append(("S negated", key, message, good[:32] + scalar(L - number)))
    made.append(("R negated", key, message, encode(negate(decode(good[:32]))) + good[32:]))
    made.append(("A negated", encode(negate(decode(key))), message, good))
    made.append(("another message", key, message + b"!", good))
    made.append(("another key", sign(bytes(32), b"")[0], message, good))
    made.append(("all zero", bytes(32), message, bytes(64)))
    made.append(("R not on the curve", key, message, (2).to_bytes(32, "little") + good[32:]))
    made.append(("A not on the curve", (2).to_bytes(32, "little"), message, good))
    return made


def made_keys():
    keys = [(f"of order {order}", form) for form, order in small_encodings()]
    keys += [("of mixed order", encode(add(multiply(7654321, BASE), multiply(times, EIGHTH))))
             for times in range(1, 8)]
    for y in range(19):  # all that can be written a second time
        for sign_bit in (0, 1):
            raw = (y | sign_bit << 255).to_bytes(32, "little")
            if decode(raw) and not small(decode(raw)):
                keys.append((f"y = {y}", raw))
                keys.append((f"y = {y}, not canonical", (y + P | sign_bit << 255).to_bytes(32, "little")))
            elif not decode(raw):
                keys.append((f"y = {y}, not on the curve", raw))
    keys.append(("the base point", encode(BASE)))
    keys += [(name, sign(bytes.fromhex(seed), b"")[0]) for name, seed, _ in RFC8032]
    keys.append(("all bits set", b"\xff" * 32))
    return keys


def build():
    signatures = []
    for name, seed, message in RFC8032:
        key, signature = sign(bytes.fromhex(seed), bytes.fromhex(message))
        signatures.append(vector(name, key, bytes.fromhex(message), signature, seed=seed))
    for number, (shows, key, message, signature) in enumerate(PAPER):
        signatures.append(vector(f"2020/1244 case {number}: {shows}", *map(bytes.fromhex, (key, message, signature))))
    signatures += [vector(*case) for case in made_signatures()]
    keys = [{"shows": shows, "key": raw.hex(), "valid": key_verdict(raw)} for shows, raw in made_keys()]
    return {"signatures": signatures, "keys": keys}


def as_text(vectors):
    lists = (f'"{name}": [\n' + ",\n".join(json.dumps(row) for row in rows) + "\n]"
             for name, rows in vectors.items())
    return "{\n" + ",\n".join(lists) + "\n}\n"


def main():
    path = sys.argv[-1]
    if sys.argv[1] == "--write":
        with open(path, "w") as out:
            out.write(as_text(build()))
        return 0
    with open(path) as text:
        same = text.read() == as_text(build())
    print("ed25519 vectors: as worked out" if same else "ed25519 vectors: not what the arithmetic gives")
    return 0 if same else 1


if __name__ == "__main__":
    sys.exit(main())
