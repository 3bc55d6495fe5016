// ZipSink and CpioSink, streamed by libarchive. Zip: deflated, Zip64 where it must be, names marked as UTF-8
// where they are, else as their bytes; no hard links, devices, fifos. Cpio: the "newc" format, files below 4
// GiB. Neither has xattrs, names of owners, or parts of seconds.
#pragma once

#include <memory>

#include "base/fd.h"
#include "sink/archive.h"

namespace holdfast::sink {

Result<std::unique_ptr<ArchiveSink>> open_zip(Fd out);
Result<std::unique_ptr<ArchiveSink>> open_cpio(Fd out);

}  // namespace holdfast::sink
