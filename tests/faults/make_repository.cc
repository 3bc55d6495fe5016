// Makes an empty repository whose password takes no time, so that a thousand runs of the program are about
// what it does and not about Argon2: make_repository DIR PASSWORD.
#include <cstdio>

#include "repo/repository.h"
#include "storage/local.h"
#include "storage/posix_disk.h"

int main(int argc, char** argv) {
  using namespace holdfast;
  if (argc != 3) return 2;
  storage::PosixDisk disk;
  const auto store = storage::open_local(disk, argv[1], storage::IfMissing::create);
  if (!store.ok()) return 1;
  repo::CreateOptions options;
  options.label = "test@test";
  options.cost = {1, 8};
  options.specification = "none";
  const auto made = repo::Repository::create({*store.value(), system_clock(), system_random()},
                                             as_bytes(argv[2]), options, {});
  if (!made.ok()) std::fprintf(stderr, "%s\n", made.error().text().c_str());
  return made.ok() ? 0 : 1;
}
