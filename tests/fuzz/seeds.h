// Seeds for targets whose inputs must look right before they get anywhere: now and then the mutator begins
// anew from a sample, so that a few seconds without a stored corpus reach deep.
#pragma once

#include <algorithm>
#include <vector>

#include "base/bytes.h"

extern "C" std::size_t LLVMFuzzerMutate(std::uint8_t* data, std::size_t size, std::size_t size_max);

namespace holdfast::fuzz {

// The body of LLVMFuzzerCustomMutator.
inline std::size_t mutate(std::uint8_t* data, std::size_t size, std::size_t size_max, unsigned seed,
                          const std::vector<Buffer>& samples) {
  if (size <= 1 || seed % 16 == 0) {
    const Buffer& sample = samples[seed / 16 % samples.size()];
    size = std::min(sample.size(), size_max);
    std::copy_n(sample.begin(), size, data);
  }
  return LLVMFuzzerMutate(data, size, size_max);
}

// A sample: the byte that picks the decoder, then what it decodes.
inline Buffer sample(std::uint8_t which, Bytes bytes) {
  Buffer out{which};
  append(out, bytes);
  return out;
}

}  // namespace holdfast::fuzz
