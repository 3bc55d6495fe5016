"""Recovery kits: docs/format/keys.md, "Recovery kit"."""

import re

from basics import Input, hash_of, parse_bundle, require

DIGITS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
READ_AS = str.maketrans("OIL", "011", " \t-")


def times(a, b, polynomial, bits):
    """A product in GF(2^bits)."""
    product = 0
    for i in range(bits):
        if b >> i & 1:
            product ^= a << i
    for i in range(2 * bits - 2, bits - 1, -1):
        if product >> i & 1:
            product ^= polynomial << (i - bits)
    return product


def power(base, exponent, polynomial, bits):
    value = 1
    for _ in range(exponent):
        value = times(value, base, polynomial, bits)
    return value


def line_bytes(number, text):
    """The 15 bytes of a line, whose check must fit."""
    symbols = [DIGITS.index(c) for c in text.upper().translate(READ_AS)]
    require(len(symbols) == 28, f"line {number} has not 28 characters")
    mixed = list(symbols)
    mixed[24] ^= number % 32
    mixed[25] ^= number // 32 % 32
    for root in range(4):
        alpha, value = power(2, root, 0x25, 5), 0
        for symbol in mixed:
            value = times(value, alpha, 0x25, 5) ^ symbol
        require(value == 0, f"line {number} was mistyped")
    bits = 0
    for symbol in symbols[:24]:
        bits = bits << 5 | symbol
    return bits.to_bytes(15, "big")


def parse_shares(text):
    """(threshold, set, repository id, number, share) of each block of lines."""
    blocks = []
    for line in re.split("[\n\f]", text):
        match = re.match(r"\s*(\d+)\s(.*)", line)
        if not match:
            continue
        number = int(match[1])
        if number == 1:
            blocks.append(b"")
        require(number == len(blocks[-1]) // 15 + 1, f"line {number} is out of order")
        blocks[-1] += line_bytes(number, match[2])
    return [parse_payload(block) for block in blocks]


def parse_payload(data):
    box = Input(data, "kit")
    require(box.u8() == 0, "a kit of a later version")
    threshold, shares, number = box.u8(), box.u8(), box.u8()
    group, repository = box.take(4), box.take(16)
    share = box.take(box.u16())
    require(box.take(8) == hash_of(data[:box.at - 8])[:8], "the kit's check does not fit")
    require(1 <= threshold <= shares and 1 <= number <= shares, "no such share can be")
    return threshold, group, repository, number, share


def secrets_of(text):
    """Repository id and secrets from enough shares."""
    parts = {share[3]: share for share in parse_shares(text)}
    require(len({share[:3] for share in parts.values()}) == 1, "shares of different sets")
    threshold, _, repository = next(iter(parts.values()))[:3]
    require(len(parts) >= threshold, "too few shares")
    given = {number: parts[number][4] for number in sorted(parts)[:threshold]}
    secret = bytes(len(next(iter(given.values()))))
    for x, share in given.items():
        factor = 1
        for other in given:
            if other != x:
                factor = times(factor, times(other, power(other ^ x, 254, 0x11b, 8), 0x11b, 8), 0x11b, 8)
        secret = bytes(s ^ times(b, factor, 0x11b, 8) for s, b in zip(secret, share))
    require(hash_of(secret[:-8])[:8] == secret[-8:], "the shares do not belong together")
    return repository, parse_bundle(secret[:-8], "kit")
