#!/usr/bin/python3
"""A reader of holdfast repositories, written from docs/format alone.

It shares no code with holdfast: that it restores what holdfast stored shows that the document suffices.
It wants Debian's python3 with python3-cryptography, python3-argon2 and python3-zstandard; python3-numpy
makes hashing some eighty times faster. It only ever reads the repository, which is a local directory.

    HOLDFAST_PASSWORD=… holdfast_reader.py -r REPOSITORY snapshots | ls | restore | verify | dump-config
"""

import argparse
import collections
import contextlib
import functools
import io
import os
import re
import stat
import struct
import sys

import plain_blake3
from basics import (OWN_OBJECTS, SECRETS, TXN, ZERO_HASH, FormatError, Input, PackId, Store, Txn, derive,
                    hash_of, keyed, kind_of, open_sealed, open_session, open_slot, parse_config,
                    parse_key_file, parse_vital, public_of, require)
from packs import Pack, coefficient, weighted_sum
from transactions import (Abort, Commit, Log, LogEntry, ManifestChunk, parse_commit, parse_domain_labels,
                          parse_log_fields, parse_manifest, parse_open, parse_page, signed_by)
from trees import DIRECTORY, FILE_TYPES, REGULAR, SYMLINK, Tree, content, is_content

# ---------------------------------------------------------------- the repository


class Repository:
    """A repository opened with a password or a recipient's secret key: objects by what they mean."""

    def __init__(self, path, password=None, secret=None):
        self.store = Store(path)
        self.config = parse_config(self.vital("holdfast").body)
        self.secrets = self.open_slots(password, secret)
        require(self.secrets["admin public"] == self.config.admin,
                "the config is not the one that the key was made for")
        for name in SECRETS.values():
            public = getattr(self.config, name, None)
            secret = self.secrets.get(name)
            require(public is None or secret is None or public == public_of(name, secret),
                    f"the {name} secret does not belong to this repository")
        self.chunk = functools.lru_cache(maxsize=24)(self.read_chunk)
        self.session = functools.lru_cache(maxsize=None)(self.read_session)
        self.domain = functools.lru_cache(maxsize=None)(self.read_domain)
        self.manifest = functools.lru_cache(maxsize=256)(self.read_manifest)
        self.refs = functools.lru_cache(maxsize=64)(self.read_refs)
        self.packs = collections.OrderedDict()
        self.repairs = collections.Counter()

    def vital(self, name):
        return parse_vital(self.store.read(name), kind_of(name), name)

    def slots(self):
        return ["keys/" + name for name in self.store.list("keys")]

    def open_slots(self, password, secret):
        opened = [open_slot(self.vital(name).body, name, self.config.id, password, secret)
                  for name in self.slots()]
        opened = [secrets for secrets in opened if secrets is not None]
        if opened:
            return max(opened, key=lambda secrets: (max(secrets["reads"], default=0)))
        raise FormatError("no key slot opens with this password or key")

    def secret(self, name):
        require(name in self.secrets, f"this password does not give the {name} secret")
        return self.secrets[name]

    def unseal(self, sealed, name):
        """Opens what is sealed with the index secret."""
        return open_sealed(self.secret("index"), self.config.id + name.encode(), sealed, name)

    def signed(self, body, name, public):
        """The input before the signature at the end of a body, which must fit."""
        require(len(body) >= 64, f"{name}: too short")
        signed_by(public, body[-64:], self.config.id, name, body[:-64], name)
        return Input(body[:-64], name)

    # transactions

    def transactions(self):
        names = self.store.list("t")
        require(all(re.fullmatch(TXN, name) for name in names), "t/ holds something else")
        return [Txn(int(name[:16], 16), int(name[17:], 16)) for name in names]

    def read_session(self, txn):
        """Where a transaction's keys belong, and its session secret, from its `open`."""
        name = txn.name("open")
        box = self.signed(self.vital(name).body, name, self.config.commit)
        opened = parse_open(box)
        require(opened.txn == txn, f"{name}: names another transaction")
        place, ephemeral, sealed = opened[3:]
        read, public = self.secret("read"), self.config.read
        if place.epoch:
            read = self.secrets["reads"].get(place.epoch)
            require(read is not None, f"{name}: this key does not open epoch {place.epoch}")
            public = public_of("read", read)
        session = open_session(read, public, ephemeral, sealed, self.config.id + name.encode(), name)
        if place.domain:
            session = derive("domain session", session + self.domain(place.domain))
        return place, session

    def read_domain(self, number):
        """The secret of a key domain."""
        name = f"domains/{number:08x}"
        require(number not in self.log.erased, f"{name}: it was erased")
        box = Input(self.vital(name).body, name)
        sealed = box.blob()
        box.end()
        key = derive("domain", self.secret("index"))
        secret = open_sealed(key, self.config.id + name.encode(), sealed, name)
        require(len(secret) == 32, f"{name}: not a secret")
        return secret

    def content_of(self, txn):
        """The content secret that a transaction's ids are by."""
        domain = self.session(txn)[0].domain
        content = self.secret("content")
        return derive("domain content", content + self.domain(domain)) if domain else content

    def open_label(self, domain, sealed, name):
        key = derive("domain labels", self.domain(domain))
        return open_sealed(key, self.config.id + name.encode(), sealed, name)

    def fate(self, txn):
        """A Commit, an Abort, or None while undecided; an error means that the fate is unknown."""
        name = txn.name("fate")
        if not self.store.has(name):
            return None
        body = self.vital(name).body
        require(body and body[0] in (1, 2, 3), f"{name}: neither COMMIT nor ABORT")
        box = self.signed(body, name, self.config.log if body[0] == 2 else self.config.commit)
        if box.u8() == 1:
            fate = parse_commit(self.unseal(box.blob(), name), body, name)
        else:
            fate = Abort(box.txn(), box.time(), box.text())
        box.end()
        require(fate.txn == txn, f"{name}: names another transaction")
        return fate

    def read_manifest(self, txn):
        """The packs of a transaction by number."""
        named, packs = parse_manifest(self.one_seal(txn.name("man")), txn.name("man"))
        require(named == txn, f"{txn.name('man')}: names another transaction")
        return packs

    def read_refs(self, txn):
        """The reference pages that a transaction made."""
        name = txn.name("refs")
        box = Input(self.one_seal(name), name)
        pages = box.list(lambda: parse_page(box.blob(), name))
        box.end()
        return pages

    def one_seal(self, name):
        """The text of an object whose body is one sealed blob."""
        box = Input(self.vital(name).body, name)
        sealed = box.blob()
        box.end()
        return self.unseal(sealed, name)

    def references(self, commit):
        """A commit's reference set: runs of slots by pack."""
        found = {}
        for owner, index in commit.pages:
            pages = self.refs(owner)
            require(index < len(pages), f"{owner.name('refs')}: has no page {index}")
            for pack, runs in pages[index]:
                require(pack not in found, f"{commit.txn}: {pack} is in two reference pages")
                found[pack] = runs
        return found

    # the log

    @functools.cached_property
    def log(self):
        """All that can be read of the log; gaps, breaks of the chain and damage are its `errors`."""
        log, previous = Log(), ZERO_HASH
        for name in self.store.list("log"):
            name = f"log/{name}"
            try:
                if kind_of(name) and int(name[4:], 16) != log.length:
                    log.errors.append(FormatError(f"{name}: the log has a gap before it"))
                    log.length, previous = int(name[4:], 16), None
                log.length += 1
                body = self.vital(name).body
                before, previous = previous, hash_of(body)
                log.apply(self.log_entry(body, name, log.length - 1, before))
            except FormatError as error:
                log.errors.append(error)
                previous = None
        return log

    def log_entry(self, body, name, expected, previous):
        """One entry, or None if it is void; `previous` is None where the entry before can't be read."""
        try:
            box = self.signed(body, name, self.config.log)
        except FormatError:
            return None
        number, chained, time = box.u64(), box.take(32), box.time()
        require(number == expected and previous in (None, chained), f"{name}: breaks the chain")
        plain = self.unseal(box.blob(), name)
        inner = Input(plain, name)
        box.end()
        type_ = inner.u8()
        entry = LogEntry(number, time, type_, parse_log_fields(inner, type_))
        inner.end()
        if type_ == 11:
            epoch, public, signature = entry.fields
            try:
                signed_by(self.config.admin, signature, self.config.id, "rotate",
                          struct.pack("<I", epoch) + public, name)
            except FormatError:
                return None
        right = {12: "key domain", 13: "erase key domain"}.get(type_)
        try:
            if right:
                self.signed(plain[1:], right, self.config.admin)
        except FormatError:
            return None
        return entry

    # snapshots

    def commits(self):
        """The readable commits that the log has not deleted, and the errors of the log and of fates."""
        commits, errors = [], list(self.log.errors)
        for txn in self.transactions():
            try:
                fate = self.fate(txn)
            except FormatError as error:
                errors.append(error)
                continue
            if isinstance(fate, Commit) and PackId(txn, OWN_OBJECTS) not in self.log.removed:
                commits.append(fate)
        return commits, errors

    def snapshots(self):
        """Snapshots that are not forgotten, by start, and the errors of the log and of fates."""
        commits, errors = self.commits()
        found = [commit for commit in commits if commit.kind == 1 and commit.txn not in self.log.forgotten
                 and commit.domain not in self.log.erased]
        for commit in found:
            self.open_labels(commit)
        return sorted(found, key=lambda commit: commit.start), errors

    def open_labels(self, commit):
        """What names things in a commit, tags as the log has them."""
        txn, tags = commit.txn, self.log.tags.get(commit.txn)
        if commit.domain:
            name = txn.name("fate")
            plain = self.open_label(commit.domain, commit.labels, name)
            commit.labels = parse_domain_labels(plain, commit, name)
            if tags is not None:
                require(len(tags) == 1, f"{name}: tags are not sealed")
                box = Input(self.open_label(commit.domain, tags[0], txn.name("tags")), name)
                commit.labels.tags = box.list(box.text)
                box.end()
        elif tags is not None:
            commit.labels.tags = [tag.decode() for tag in tags]

    def snapshot(self, wanted):
        """One snapshot by id, its beginning, or `latest`."""
        snapshots, _ = self.snapshots()
        if wanted == "latest":
            require(snapshots, "there are no snapshots")
            return snapshots[-1]
        found = [commit for commit in snapshots if commit.id.hex().startswith(wanted)]
        require(len(found) == 1, f"{len(found)} snapshots have an id that begins with {wanted!r}")
        return found[0]

    # packs

    def pack_keys(self, header, name):
        """(key, nonce key) of data frames and of directory frames."""
        place, session = self.session(header.id.txn)
        require(header.place == place, f"{name}: under other keys than its transaction")
        material = session + header.salt
        require(header.commit == derive("pack commit", material), f"{name}: not of its transaction's session")
        hidden = self.secret("index") + header.salt
        return ((derive("pack", material), derive("pack nonce", material)),
                (derive("directory", hidden), derive("directory nonce", hidden)))

    def open_pack(self, id_):
        """A pack in its valid generation: the one that the last DELETE names, else the last that is there."""
        generation = self.log.generations.get(id_, 0)
        if not self.store.has(id_.name(generation)):
            folder, _, base = id_.name("").rpartition("/")
            others = [name[len(base):] for name in self.store.list(folder) if name.startswith(base)]
            generation = max((int(other) for other in others if other.isdigit()), default=generation)
        return Pack(self.store, id_, generation, self.config.id, self.pack_keys)

    def pack(self, id_):
        """open_pack, keeping the last few open."""
        if id_ not in self.packs:
            self.packs[id_] = self.open_pack(id_)
        self.packs.move_to_end(id_)
        if len(self.packs) > 16:
            _, old = self.packs.popitem(last=False)
            self.drop(old)
        return self.packs[id_]

    def drop(self, pack):
        """Closes a pack and remembers how much of it had to be repaired."""
        self.repairs[pack.name] += pack.repairs
        pack.file.close()

    def close(self):
        while self.packs:
            self.drop(self.packs.popitem()[1])

    def read_chunk(self, address):
        """The slot and plain text of a chunk."""
        return self.pack(address.pack).chunk(address.slot)


# ---------------------------------------------------------------- restore


class Restore:
    """Lays a snapshot out in an empty directory. Nothing is followed or overwritten."""

    def __init__(self, repository, target, warn):
        self.repository, self.target, self.warn = repository, os.fsencode(target), warn
        self.directories, self.links, self.root = {b"": None}, {}, os.geteuid() == 0

    def run(self, commit):
        os.makedirs(self.target, exist_ok=True)
        require(not os.listdir(self.target), f"{os.fsdecode(self.target)}: is not empty")
        for root in commit.roots:
            for entry in Tree(self.repository, root).entries():
                self.entry(entry)
        for path, entry in sorted(self.directories.items(), reverse=True):
            if entry is not None:
                self.finish(self.where(path), entry)

    def where(self, path):
        return os.path.join(self.target, path) if path else self.target

    def parent(self, path):
        """Makes sure that all above a path are directories that this restore made."""
        above = path.rpartition(b"/")[0]
        if above not in self.directories:
            self.parent(above)
            os.mkdir(self.where(above), 0o700)          # fails on anything else that is there
            self.directories[above] = None

    def entry(self, entry):
        parts = entry.path.split(b"/")
        require(not any(part in (b"", b".", b"..") or b"\0" in part for part in parts),
                f"{entry.path!r}: unsafe path")
        self.parent(entry.path)
        where = self.where(entry.path)
        if entry.link and entry.link in self.links:
            os.link(self.links[entry.link], where, follow_symlinks=False)
            return
        self.make(entry, where)
        if entry.link:
            self.links[entry.link] = where
        if entry.type == DIRECTORY:
            self.directories[entry.path] = entry
        else:
            self.finish(where, entry)

    def make(self, entry, where):
        if entry.type == REGULAR:
            self.write(entry, where)
        elif entry.type == DIRECTORY:
            os.mkdir(where, 0o700)
        elif entry.type == SYMLINK:
            os.symlink(entry.target, where)
        else:
            os.mknod(where, FILE_TYPES[entry.type] | 0o600, entry.device)

    def write(self, entry, where):
        fd = os.open(where, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        with open(fd, "wb") as file:
            for length, piece in content(self.repository, entry):
                if piece is None:
                    file.seek(length, io.SEEK_CUR)
                else:
                    file.write(piece)
            file.truncate(entry.size)

    def finish(self, where, entry):
        """Owner, mode, extended attributes and time, in the order in which they don't undo each other."""
        attributes = entry.attributes
        if self.root:
            os.chown(where, attributes.uid, attributes.gid, follow_symlinks=False)
        if entry.type != SYMLINK:
            os.chmod(where, attributes.mode)
        for name, value in attributes.xattrs:
            try:
                os.setxattr(where, name, value, follow_symlinks=False)
            except OSError as error:
                self.warn(f"{entry.path!r}: {name!r} can't be set: {error.strerror}")
        os.utime(where, ns=(entry.mtime.total(),) * 2, follow_symlinks=False)


# ---------------------------------------------------------------- verify


def slots_in(runs):
    return {slot for run in runs for slot in run}


class Verify:
    """Checks everything that the document promises; what is wrong is collected, not raised."""

    def __init__(self, repository, stripes, say):
        self.repository, self.stripes, self.say = repository, stripes, say
        self.problems = []

    def problem(self, text):
        self.problems.append(str(text))
        self.say(f"problem: {text}")

    def attempt(self, check, *arguments):
        """Runs a check; None if it found an error, which is noted."""
        try:
            return check(*arguments)
        except (FormatError, OSError) as error:
            self.problem(error)
            return None

    def run(self):
        self.attempt(self.objects)
        commits, errors = self.repository.commits()
        for error in errors:
            self.problem(error)
        for commit in commits:
            self.attempt(self.transaction, commit)
        packs = [(PackId(commit.txn, number), pack) for commit in commits
                 for number, pack in (self.attempt(self.repository.manifest, commit.txn) or {}).items()]
        for id_, manifest in packs:
            if id_ not in self.repository.log.removed:
                self.attempt(self.pack, id_, manifest)
        live = [commit for commit in commits if commit.txn not in self.repository.log.forgotten]
        for commit in live:
            self.attempt(self.snapshot, commit)
        self.say(f"{len(commits)} commits, {len(live)} of them live, {len(packs)} packs, "
                 f"{len(self.problems)} problems")

    # vital objects

    def vital_names(self):
        store = self.repository.store
        yield "holdfast"
        yield from self.repository.slots()
        yield from ("log/" + name for name in store.list("log"))
        for txn in self.repository.transactions():
            yield from (f"t/{txn}/{part}" for part in store.list(f"t/{txn}"))

    def objects(self):
        """Both copies of all vital objects, every transaction's session, and the specification."""
        require(self.repository.store.has("spec"), "spec: not there")
        for name in self.vital_names():
            vital = self.attempt(self.repository.vital, name)
            for half in (0, 1) if vital else ():
                if not vital.whole[half]:
                    self.problem(f"{name}: copy {half + 1} is damaged")
        for txn in self.repository.transactions():
            self.attempt(self.repository.session, txn)

    # commits

    def transaction(self, commit):
        """The hashes that a commit holds of its manifest, its pages and the commit before."""
        repository, txn = self.repository, commit.txn
        require(hash_of(repository.vital(txn.name("man")).written) == commit.manifest_hash,
                f"{txn.name('man')}: not the one that was committed")
        if commit.refs_hash == ZERO_HASH:
            require(not repository.store.has(txn.name("refs")), f"{txn}: has `refs` that its commit denies")
        else:
            require(hash_of(repository.vital(txn.name("refs")).written) == commit.refs_hash,
                    f"{txn.name('refs')}: not the one that was committed")
        before = Txn(txn.writer, commit.previous)
        if commit.previous == 0:
            require(commit.previous_hash == ZERO_HASH, f"{txn}: a hash of no commit")
        elif PackId(before, OWN_OBJECTS) not in repository.log.removed:
            require(commit.previous < txn.sequence, f"{txn}: follows a later commit")
            require(hash_of(repository.vital(before.name("fate")).body) == commit.previous_hash,
                    f"{before.name('fate')}: not the one that {txn} follows")

    # packs

    def pack(self, id_, manifest):
        pack = self.repository.open_pack(id_)
        try:
            for check in (self.ends, self.frames, self.parity, self.directory, self.chunks):
                self.attempt(check, pack, manifest)
        finally:
            if pack.repairs:
                self.problem(f"{pack.name}: {pack.repairs} frames had to be rebuilt from parity")
            pack.file.close()

    def ends(self, pack, manifest):
        if not pack.header_whole:
            self.problem(f"{pack.name}: the header is damaged")
        tables = pack.tables()
        if tables[0] != tables[1] or b"".join(pack.table) != tables[0]:
            self.problem(f"{pack.name}: one frame table is damaged")
        if pack.header.generation == 0:
            require((pack.size, pack.trailer.root) == (manifest.size, manifest.root),
                    f"{pack.name}: size or root is not as its manifest says")

    def frames(self, pack, _):
        """Hashes of all frames as stored, and the nonces of those that hold text."""
        numbers = {index: number for number, index in pack.position.items()}
        sound = []
        for index, frame, digest in pack.hashed(range(pack.trailer.total)):
            if digest != pack.table[index]:
                self.problem(f"{pack.name}: frame {index} is damaged")
            elif index in numbers:
                sound.append(numbers[index])
        for directory in (False, True):
            chosen = [number for number in sound if (number in pack.directory_frames) == directory]
            for at in range(0, len(chosen), 64):
                self.nonces(pack, chosen[at:at + 64], pack.keys[directory][1])

    def nonces(self, pack, numbers, key):
        texts = [struct.pack("<I", number) + pack.read_plain(number) for number in numbers]
        for number, digest in zip(numbers, plain_blake3.many(texts, key)):
            require(pack.stored(pack.position[number])[:12] == digest[:12],
                    f"{pack.name}: the nonce of frame {number} does not follow from its text")

    def parity(self, pack, _):
        """Parity of a sample of stripes: the first, the last, and evenly between."""
        count, size = pack.trailer.stripes, pack.header.frame_size
        step = max(1, -(-count // self.stripes))
        for number in sorted({*range(0, count, step), count - 1} if count else ()):
            data, parities = pack.stripe(number)
            frames = [pack.stored(i) for i in data]
            for p, index in enumerate(parities):
                terms = [(coefficient(p, d), frame) for d, frame in enumerate(frames)]
                require(weighted_sum(terms, size) == pack.stored(index),
                        f"{pack.name}: parity frame {p} of stripe {number} is wrong")

    def directory(self, pack, manifest):
        """The directory says what the manifest says, and the chunk stream ends in zeros."""
        first = pack.header.generation == 0  # what was filled in later may be stored otherwise
        listed = [(slot.id, slot.type, slot.plain, slot.stored if first else 0) for slot in pack.directory]
        named = [(*chunk[:3], chunk[3] if first else 0) for chunk in manifest.chunks]
        require(listed == named, f"{pack.name}: directory and manifest differ")
        last = pack.directory_frames.start - 1
        if last in pack.position:
            used = pack.trailer.stream - last * (pack.header.frame_size - 28)
            require(not any(pack.plain(last)[max(used, 0):]), f"{pack.name}: text after the chunk stream")

    def chunks(self, pack, _):
        """Ids of all chunks whose frames are there: all of those that are kept must be."""
        key = derive("chunk id", self.repository.content_of(pack.id.txn))
        kept = self.repository.log.kept.get(pack.id) if pack.header.generation else None
        kept = slots_in(kept) if kept is not None else set()
        for number, slot in enumerate(pack.directory):
            if number not in kept and any(frame not in pack.position for frame in pack.frames_of(slot)):
                continue
            found = self.attempt(pack.chunk, number)
            if found and keyed(key, bytes([slot.type]) + found[1]) != slot.id:
                self.problem(f"{pack.name}: slot {number} is not what its id says")

    # snapshots

    def snapshot(self, commit):
        """Trees can be walked, and need nothing outside the commit's reference set."""
        references = {pack: slots_in(runs) for pack, runs in self.repository.references(commit).items()}
        for root in commit.roots:
            tree, needed = Tree(self.repository, root), set()
            for entry in tree.entries():
                needed.update(extent.chunk for extent in entry.extents if extent.chunk)
            for chunk in needed:
                self.attempt(self.file_chunk, chunk)
            for address in {chunk.address for chunk in needed} | set(tree.nodes):
                if address.slot not in references.get(address.pack, ()):
                    self.problem(f"{commit.txn}: needs {address}, which its references lack")
        for pack, slots in references.items():
            kept = self.repository.log.kept.get(pack)
            require(pack not in self.repository.log.removed and (kept is None or slots <= slots_in(kept)),
                    f"{commit.txn}: refers to what is deleted of {pack}")
            chunks = self.repository.manifest(pack.txn)[pack.pack].chunks
            require(max(slots) < len(chunks), f"{commit.txn}: refers to slots beyond the end of {pack}")

    def file_chunk(self, chunk):
        pack = self.repository.pack(chunk.address.pack)
        require(chunk.address.slot < len(pack.directory), f"{chunk.address}: no such slot")
        slot = pack.directory[chunk.address.slot]
        require(is_content(slot, chunk.id), f"{chunk.address}: is not the chunk that a file needs")


# ---------------------------------------------------------------- commands


def say(text):
    print(text.encode("utf-8", "backslashreplace").decode())


def warn(text):
    print(f"holdfast_reader: {text}".encode("utf-8", "backslashreplace").decode(), file=sys.stderr)


def show_snapshots(repository, _):
    snapshots, errors = repository.snapshots()
    for error in errors:
        warn(error)
    for commit in snapshots:
        marks = " partial" if commit.partial else ""
        tags = f" [{','.join(commit.tags)}]" if commit.tags else ""
        say(f"{commit.id.hex()[:8]}  {commit.start}  {commit.host}  {' '.join(commit.paths)}{tags}{marks}")
    return 1 if errors else 0


def listing(entry):
    """One line about an entry, much as ls -l has it."""
    attributes = entry.attributes
    mode = stat.filemode(FILE_TYPES[entry.type] | attributes.mode)
    owner = f"{attributes.user or attributes.uid} {attributes.group or attributes.gid}"
    target = f" -> {os.fsdecode(entry.target)}" if entry.type == SYMLINK else ""
    changed = " (changed while it was read)" if entry.flags & 1 else ""
    return f"{mode} {owner} {entry.size:>11} {entry.mtime} {os.fsdecode(entry.path)}{target}{changed}"


def show_entries(repository, options):
    for root in repository.snapshot(options.snapshot).roots:
        for entry in Tree(repository, root).entries():
            say(listing(entry))
    return 0


def restore(repository, options):
    Restore(repository, options.target, warn).run(repository.snapshot(options.snapshot))
    repository.close()
    for name, count in (+repository.repairs).items():
        warn(f"{name}: {count} frames were rebuilt from parity")
    return 0


def verify(repository, options):
    check = Verify(repository, options.stripes, say)
    check.run()
    return 1 if check.problems else 0


def dump_config(repository, _):
    config = repository.config
    say(f"id        {config.id.hex()}\ncreated   {config.created}\nfeatures  {config.features}")
    for name in ("admin", "commit", "log", "read"):
        say(f"{name:<9} {getattr(config, name).hex()}")
    say(f"chunks    {' '.join(map(str, config.chunk_sizes))}")
    say(f"secrets   {' '.join(map(str, repository.secrets))}")
    return 0


COMMANDS = (("snapshots", show_snapshots, "list snapshots"),
            ("ls", show_entries, "list what a snapshot holds"),
            ("restore", restore, "lay a snapshot out in an empty directory"),
            ("verify", verify, "check everything"),
            ("dump-config", dump_config, "show the config"))


def parse_arguments(arguments):
    parser = argparse.ArgumentParser(description="reads holdfast repositories", allow_abbrev=False)
    parser.add_argument("-r", "--repository", required=True, metavar="DIR")
    parser.add_argument("--password-file", metavar="FILE", help="else HOLDFAST_PASSWORD")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    made = {}
    for name, run, text in COMMANDS:
        made[name] = commands.add_parser(name, help=text)
        made[name].set_defaults(run=run)
    for name in ("ls", "restore"):
        made[name].add_argument("snapshot", metavar="SNAPSHOT", help="id, its beginning, or latest")
    made["restore"].add_argument("target", metavar="TARGET", help="empty or new directory")
    made["verify"].add_argument("--stripes", type=int, default=2, metavar="N",
                                help="compute the parity of N stripes of each pack (2)")
    return parser.parse_args(arguments)


def opener_of(options):
    """What opens the repository: HOLDFAST_KEY_FILE, or the password: a file's text without the newline at its
    end, or the environment's."""
    if "HOLDFAST_KEY_FILE" in os.environ and not options.password_file:
        with open(os.environ["HOLDFAST_KEY_FILE"], encoding="utf-8") as file:
            return {"secret": parse_key_file(file.read(), "holdfast-secret-key-1")}
    return {"password": password_of(options)}


def password_of(options):
    if options.password_file:
        with open(options.password_file, "rb") as file:
            return file.read().removesuffix(b"\n")
    require(b"HOLDFAST_PASSWORD" in os.environb, "no password given")
    return os.environb[b"HOLDFAST_PASSWORD"]


def main(arguments):
    options = parse_arguments(arguments)
    try:
        with contextlib.closing(Repository(options.repository, **opener_of(options))) as repository:
            return options.run(repository, options)
    except (FormatError, OSError) as error:
        warn(error)
        return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
