// Decoder under a random program of reads: it never reads past its input, fails for good, and what it
// read encodes to the same bytes again.
#include <cstddef>

#include "base/check.h"
#include "base/codec.h"

namespace holdfast {
namespace {

// Reads one value as `operation` says, and writes it again. A failed read gives a zero value.
void copy_one(unsigned operation, Decoder& in, Encoder& out) {
  switch (operation % 8) {
    case 0:
      return out.u8(in.u8());
    case 1:
      return out.u16(in.u16());
    case 2:
      return out.u32(in.u32());
    case 3:
      return out.u64(in.u64());
    case 4:
      return out.varint(in.varint());
    case 5:
      return out.svarint(in.svarint());
    case 6:
      return out.blob(in.blob());
    default:
      return out.varint(in.count(1 + operation / 8));
  }
}

void run(Bytes input) {
  if (input.empty()) return;
  const std::size_t operations = std::min<std::size_t>(input[0], input.size() - 1);
  const Bytes program = input.subspan(1, operations);
  const Bytes data = input.subspan(1 + operations);
  Decoder in(data);
  Encoder out;
  for (const unsigned operation : program) {
    const std::size_t left = in.left();
    const bool ok = in.ok();
    copy_one(operation, in, out);
    HF_ASSERT(in.left() <= left);
    HF_ASSERT(ok || !in.ok());
    if (!in.ok()) break;
    const Bytes consumed = data.first(data.size() - in.left());
    HF_ASSERT(as_text(out.bytes()) == as_text(consumed));
  }
  HF_ASSERT(in.finish("fuzz input").ok() == (in.ok() && in.left() == 0));
}

}  // namespace
}  // namespace holdfast

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  holdfast::run({data, size});
  return 0;
}
