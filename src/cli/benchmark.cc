#include "flow/benchmark.h"

#include <fmt/core.h>

#include "cli/backup_input.h"
#include "cli/commands.h"
#include "cli/json.h"
#include "cli/wire.h"
#include "repo/names.h"

namespace holdfast::cli {

void declare(Syntax& syntax, BenchmarkOptions& options) {
  syntax.option("--size", "SIZE", &options.size, "how much is written to the store; default: 64M");
  syntax.flag("--no-store", &options.no_store, "measure only this machine");
  syntax.flag("-n,--dry-run", &options.dry_run, "only say what would be done");
}

namespace {

constexpr double kMega = 1e6;

std::string json_of(const std::vector<flow::PartRate>& machine, const std::optional<flow::StoreRates>& store,
                    const flow::Bottleneck& slowest) {
  std::vector<std::string> parts;
  for (const flow::PartRate& part : machine) {
    JsonObject object;
    object.add("part", part.part).add("bytes_per_second_one", part.one).add("bytes_per_second_all", part.all);
    parts.push_back(object.text());
  }
  JsonObject object;
  object.add("message_type", "summary").raw("machine", json_array(parts));
  if (store) {
    JsonObject inner;
    inner.add("bytes", store->bytes).add("objects", store->objects);
    inner.add("put_ms", store->put_ms).add("get_ms", store->get_ms).add("list_ms", store->list_ms);
    inner.add("put_bytes_per_second", store->put_rate).add("get_bytes_per_second", store->get_rate);
    object.raw("store", inner.text());
  }
  return object.add("bottleneck", slowest.part).add("bottleneck_bytes_per_second", slowest.rate).text();
}

std::string text_of(const std::vector<flow::PartRate>& machine, const std::optional<flow::StoreRates>& store,
                    const flow::Bottleneck& slowest) {
  Table table({"MB a second", ">one core", ">all cores"});
  for (const flow::PartRate& part : machine)
    table.row({part.part, fmt::format("{:.0f}", part.one / kMega), fmt::format("{:.0f}", part.all / kMega)});
  std::string out = table.text();
  if (store) {
    out += fmt::format("\nThe store, with {} in {}, all removed again:\n", size_text(store->bytes),
                       counted(store->objects, "object"));
    out += fmt::format("  writing {:.0f} MB/s, reading {:.0f} MB/s (it may come from a cache)\n",
                       store->put_rate / kMega, store->get_rate / kMega);
    out += fmt::format("  a small object: put {:.2f} ms, get {:.2f} ms; a list {:.2f} ms\n", store->put_ms,
                       store->get_ms, store->list_ms);
  }
  return out + fmt::format("\nA backup of new data is bound by {}: about {:.0f} MB/s.\n", slowest.part,
                           slowest.rate / kMega);
}

}  // namespace

Result<int> run(Context& context, const BenchmarkOptions& options) {
  std::uint64_t size_bytes = 64 * kMiB;
  if (!options.size.empty()) size_bytes = TRY_AS(parse_size(options.size), "--size");
  if (size_bytes == 0) return Error(Errc::usage, "--size must be more than nothing");
  std::unique_ptr<storage::Storage> store;
  if (!options.no_store) {
    const std::string location = TRY(location_of(choice_of(context.global), context.environment));
    store = TRY(open_storage(context.global, context.environment, location, storage::IfMissing::fail));
    TRY(store->stat(repo::kConfigName, context.stop));
  }
  if (options.dry_run) {
    if (store != nullptr)
      context.out.line(
          fmt::format("Would write {} to {} and remove it", size_text(size_bytes), store->describe()));
    return 0;
  }
  const auto machine = TRY(flow::measure_machine(system_clock(), 0, context.stop));
  std::optional<flow::StoreRates> rates;
  if (store != nullptr) {
    rates = TRY(flow::measure_store(*store, system_clock(), system_random(), size_bytes, context.stop));
  }
  const flow::Bottleneck slowest = flow::bottleneck(machine, rates ? &*rates : nullptr);
  context.out.write(context.global.json ? json_of(machine, rates, slowest) + "\n"
                                        : text_of(machine, rates, slowest));
  return 0;
}

}  // namespace holdfast::cli
