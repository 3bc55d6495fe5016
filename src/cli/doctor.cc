#include "flow/doctor.h"

#include <fmt/core.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>

#include "cli/commands.h"
#include "cli/json.h"
#include "cli/wire.h"

namespace holdfast::cli {

using flow::Diagnosis;
using flow::Health;

void declare(Syntax& syntax, DoctorOptions& options) {
  syntax.flag("--no-write", &options.no_write,
              "don't try the store by writing a small object and removing it");
}

namespace {

constexpr std::int64_t kClockSlackS = 5 * 60;

// Who else may do what with a file or folder of ours. `secret`: nobody else may read it.
Diagnosis judge_permissions(const std::string& topic, const std::string& path, bool secret) {
  struct stat facts {};
  if (::stat(path.c_str(), &facts) != 0) {
    if (errno == ENOENT) return {Health::ok, topic, path + " is not there yet", ""};
    return {Health::bad, topic, errno_error(errno, "look at " + path).text(), "see to its permissions"};
  }
  const std::string mode = fmt::format("{} has mode {:o}", path, facts.st_mode & 07777u);
  if (facts.st_uid != ::geteuid() && facts.st_uid != 0)
    return {Health::warn, topic, fmt::format("{} belongs to user {}", path, facts.st_uid), "is that meant?"};
  if ((facts.st_mode & 022u) != 0)
    return {Health::bad, topic, mode + ": others may write", "chmod go-w " + path};
  if (secret && (facts.st_mode & 077u) != 0)
    return {Health::bad, topic, mode + ": others may read", "chmod go= " + path};
  return {Health::ok, topic, mode, ""};
}

class Doctor {
 public:
  Doctor(Context& context, const DoctorOptions& options) : context_(context), options_(options) {}
  flow::Diagnoses run();

 private:
  void add(flow::Diagnoses more) {
    for (Diagnosis& d : more) out_.push_back(std::move(d));
  }
  void look_at_files(const std::string& folder);
  void try_store(storage::Storage& storage, const std::string& folder);
  void look_at_repository(const std::string& folder);

  Context& context_;
  const DoctorOptions& options_;
  flow::Diagnoses out_;
};

void Doctor::look_at_files(const std::string& folder) {
  if (!folder.empty()) out_.push_back(judge_permissions("permissions", folder, false));
  const std::string cache = cache_directory(context_.global, context_.environment);
  if (!cache.empty()) out_.push_back(judge_permissions("cache", cache, false));
  std::string file = context_.global.password_file;
  if (file.empty()) file = context_.environment.get("HOLDFAST_PASSWORD_FILE").value_or("");
  if (!file.empty()) out_.push_back(judge_permissions("password", file, true));
}

void Doctor::try_store(storage::Storage& storage, const std::string& folder) {
  const auto compare_clocks = [&](const std::string& name) {
    struct stat facts {};
    if (folder.empty() || ::stat((folder + "/" + name).c_str(), &facts) != 0) return;
    const std::int64_t ahead = facts.st_mtim.tv_sec - system_clock().now_ns() / 1'000'000'000;
    const std::string text = fmt::format("the store's clock is {} s {} this one's", std::abs(ahead),
                                         ahead < 0 ? "behind" : "ahead of");
    if (std::abs(ahead) > kClockSlackS) {
      out_.push_back({Health::warn, "clock", text, "set both clocks (NTP)"});
    } else {
      out_.push_back({Health::ok, "clock", "as the store's, to within five minutes", ""});
    }
  };
  add(flow::examine_store(storage, system_random(), compare_clocks, context_.stop));
}

void Doctor::look_at_repository(const std::string& folder) {
  const auto session = open_session(context_, {repo::Right::index});
  if (!session.ok()) {
    out_.push_back({Health::bad, "repository", session.error().text(), session.error().hint()});
    return;
  }
  const repo::Repository& repository = *session.value().repository;
  const repo::Ledger ledger = repo::Ledger::open(*session.value().local, system_random(), system_clock());
  const bool remembers = !session.value().local->directory().empty();
  const auto history = repository.readable_history(context_.stop);
  if (!history.ok()) {
    out_.push_back({Health::bad, "snapshots", history.error().text(), "see the store's lines"});
    return;
  }
  add(flow::examine_repository(repository, history.value(), remembers ? &ledger : nullptr, context_.stop));
  struct statvfs facts {};
  if (!folder.empty() && ::statvfs(folder.c_str(), &facts) == 0)
    out_.push_back(flow::judge_space(std::uint64_t{facts.f_bavail} * facts.f_frsize, history.value()));
}

flow::Diagnoses Doctor::run() {
  out_.push_back({Health::ok, "version", program_version(), ""});
  const auto location = location_of(choice_of(context_.global), context_.environment);
  if (!location.ok()) {
    out_.push_back({Health::bad, "repository", location.error().text(), location.error().hint()});
    look_at_files("");
    return std::move(out_);
  }
  const std::string folder = local_path(location.value()).value_or("");
  look_at_files(folder);
  const auto storage =
      open_storage(context_.global, context_.environment, location.value(), storage::IfMissing::fail);
  if (!storage.ok()) {
    out_.push_back({Health::bad, "store", storage.error().text(), storage.error().hint()});
    return std::move(out_);
  }
  if (!options_.no_write) try_store(*storage.value(), folder);
  look_at_repository(folder);
  return std::move(out_);
}

}  // namespace

Result<int> run(Context& context, const DoctorOptions& options) {
  const flow::Diagnoses diagnoses = Doctor(context, options).run();
  if (context.stop.stop_requested()) return Error(Errc::stopped, "stopped");
  Health worst = Health::ok;
  std::vector<std::string> lines;
  for (const Diagnosis& d : diagnoses) {
    worst = std::max(worst, d.health);
    JsonObject object;
    object.add("health", flow::word(d.health)).add("topic", d.topic).add("message", d.text);
    lines.push_back(object.add("advice", d.advice).text());
    if (context.global.json || (context.global.quiet && d.health == Health::ok)) continue;
    context.out.line(fmt::format("{:<5} {:<13} {}", flow::word(d.health), d.topic, printable(d.text)));
    if (!d.advice.empty()) context.out.line(fmt::format("{:<19} → {}", "", printable(d.advice)));
  }
  if (context.global.json) {
    JsonObject object;
    object.add("message_type", "doctor").add("health", flow::word(worst));
    context.out.line(object.raw("findings", json_array(lines)).text());
  }
  if (worst == Health::bad) return exit_code(Errc::failed);
  return worst == Health::warn ? exit_code(Errc::partial) : 0;
}

}  // namespace holdfast::cli
