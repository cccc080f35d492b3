"""The ``files`` source: drops of one kind in one folder, on any fsspec file system."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

from hub.errors import StreamError
from hub.runtime import Runtime
from hub.source import Check, CursorKind, Page, Reject, Source, State, Stream
from hub.titles import Title
from plugins.files.config import FilesConfig
from plugins.files.mapping.fields import RECORDS, StreamName
from plugins.files.mapping.loading import load_profile
from plugins.files.mapping.profile import Profile
from plugins.files.memory import Memory
from plugins.files.reading.convert import Converted, convert, open_rows, stage_file
from plugins.files.reading.errors import RejectedFileError
from plugins.files.reading.listing import Folder, Found, Listing
from plugins.files.reading.raw import EmptyFileError
from plugins.files.reading.settings import Settings, session

__all__ = ["FilesSource"]

_TITLES = {
    StreamName.ORDERS: Title("小票", "Tickets"),
    StreamName.CUSTOMERS: Title("会员", "Members"),
    StreamName.PRODUCTS: Title("商品", "Products"),
    StreamName.STORES: Title("门店", "Shops"),
}


class FilesSource(Source):
    """Reads CSV, TSV, workbooks, Parquet and JSON lines from a folder, by a mapping profile.

    One connection is one folder and one kind of file, so it has one stream. Each file is one page: a run that is killed goes
    on with the file it was at.
    """

    name = "files"
    title = Title("文件", "Files")
    Config = FilesConfig

    def __init__(self, config: FilesConfig, runtime: Runtime) -> None:
        super().__init__(config, runtime)
        self.profile: Profile = load_profile(config.mapping, runtime)
        self._pages = 0

    def streams(self) -> Sequence[Stream]:
        """Return the one stream the mapping profile makes of the files; none for a folder the hub writes into."""
        if self.config.write is not None:
            return []
        stream = self.profile.stream
        return [Stream(stream.value, RECORDS[stream], self.read, CursorKind.WINDOW, _TITLES[stream])]

    def check(self) -> Sequence[Check]:
        """Try whether the folder can be listed, and whether the newest file's header fits the mapping."""
        if self.config.write is not None:
            return []
        try:
            folder = Folder(self.config, self.runtime)
            listing = folder.list()
        except StreamError as error:
            return [Check("folder is readable", ok=False, message=str(error))]
        checks = [Check("folder is readable", ok=True, message=_described(listing))]
        if listing.ready:
            checks.append(self._check_header(folder, listing.ready[-1]))
        return checks

    def _check_header(self, folder: Folder, found: Found) -> Check:
        name = f"header of {found.shown} fits mapping {self.profile.name}"
        scratch = self._new_folder()
        settings = self._settings()
        try:
            staged = stage_file(found, folder.fs, settings, scratch)
            with session(settings) as connection:
                raw = open_rows(found, staged, settings, connection, scratch)
        except RejectedFileError as error:
            return Check(name, ok=False, message=str(error))
        except EmptyFileError:
            return Check(name, ok=True, message="the file is empty")
        finally:
            shutil.rmtree(scratch)
        header = raw.head.header
        unknown = f"; kept as they are: {', '.join(header.unknown)}" if header.unknown else ""
        return Check(name, ok=True, message=f"{header.recognised} of {len(header.names)} columns known{unknown}")

    def read(self, state: State) -> Iterator[Page]:
        """Yield one page per file that is new or changed, oldest first.

        Args:
            state: what :class:`plugins.files.memory.Memory` remembers of earlier runs.

        Raises:
            StreamError: the folder cannot be listed.
            StopError: the reader of workbooks is missing, or the disk is full.
        """
        folder = Folder(self.config, self.runtime)
        memory = Memory(state, self.profile.fingerprint(), self.config.forget_after_days)
        listing = folder.list()
        for found in listing.ready:
            if memory.knows(found):
                continue
            page = self._page(folder, found, memory)
            yield page
        tidied = memory.tidy(listing.names, self.runtime.now().date())
        waiting = tuple(f"{name}: {reason}" for name, reason in sorted(listing.waiting.items()) if not memory.has(name))
        if tidied or waiting:
            yield Page(cursor=memory.state() if tidied else None, notes=waiting)

    def _page(self, folder: Folder, found: Found, memory: Memory) -> Page:
        scratch = self._new_folder()
        try:
            return self._read_file(folder, found, memory, scratch)
        except RejectedFileError as error:
            shutil.rmtree(scratch)
            memory.refuse(found)
            return Page(cursor=memory.state(), rejects=[_file_reject(found, error)])

    def _read_file(self, folder: Folder, found: Found, memory: Memory, scratch: Path) -> Page:
        settings = self._settings()
        staged = stage_file(found, folder.fs, settings, scratch)
        twin = memory.same_content(staged.digest)
        if twin is not None:
            shutil.rmtree(scratch)
            memory.remember(found, staged.digest)
            note = f"{found.shown} has the same content as {twin}; nothing to do"
            return Page(cursor=memory.state(), notes=() if twin == found.name else (note,))
        converted = convert(found, staged, settings, scratch / "tables")
        # The tables are the hub's now; the unpacked copy would only fill the disk.
        staged.path.unlink()
        notes = self._header_notes(found, converted, memory)
        memory.remember(found, staged.digest)
        memory.expect(converted.fields)
        return Page(
            tables=dict(converted.tables),
            cursor=memory.state(),
            rejects=converted.rejects,
            notes=(*converted.notes, *notes),
        )

    def _header_notes(self, found: Found, converted: Converted, memory: Memory) -> list[str]:
        """Compare with the columns of earlier files: a renamed header would lose its data without a word."""
        lost = memory.lost(converted.fields)
        if not converted.fields or not lost:
            return []
        message = f"{found.shown}: columns that earlier files had are missing: {', '.join(lost)}"
        if converted.unknown and self.config.header_changes == "reject":
            raise RejectedFileError(
                f"{message}; unknown instead: {', '.join(converted.unknown)}.",
                code="header_changed",
                hint="If a column was renamed, add its new name to the mapping ([connections.….mapping.columns]); if the columns "
                'are gone for good, set header_changes = "accept" for one run.',
            )
        return [message]

    def _settings(self) -> Settings:
        return Settings.of(self.config, self.profile, self.runtime)

    def _new_folder(self) -> Path:
        self._pages += 1
        folder = self.runtime.scratch / f"files-{self._pages:06}"
        folder.mkdir(parents=True)
        return folder


def _described(listing: Listing) -> str:
    waiting = f", {len(listing.waiting)} not ready yet" if listing.waiting else ""
    ignored = f", {listing.ignored} of other kinds left alone" if listing.ignored else ""
    return f"{len(listing.ready)} file(s) to read{waiting}{ignored}"


def _file_reject(found: Found, error: RejectedFileError) -> Reject:
    reason = f"{error.message} {error.hint}".strip()
    return Reject(found.shown, error.code, reason, source_id=found.name)
