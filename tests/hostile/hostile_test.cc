// The program against the corpus of hostile snapshots: it refuses them with an error that names it, or takes
// no harm; writes nothing outside the target; ends soon, with bounded memory; and prints nothing that a
// terminal would obey.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <thread>

#include "tests/hostile/corpus.h"
#include "tests/support/tree_build.h"
#include "tests/support/tree_describe.h"

namespace holdfast::testing {

namespace {

using Words = std::vector<std::string>;

struct Ended {
  int status = -1;  // of its exit; 1000 and the number where a signal ended it
  std::uint64_t peak_mib = 0;
  std::string out, err;
};

std::string content_of(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return std::string{std::istreambuf_iterator<char>(in), {}};
}

int open_new(const std::string& path) { return ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600); }

constexpr uid_t kNobody = 65534;
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kSanitized = true;  // slower, and with memory of its own
#else
constexpr bool kSanitized = false;
#endif

class Machine {
 public:
  Machine() {
    tree_.directory("", 0755);
    tree_.file("outside/canary", "still here");
    tree_.symlink("outside/link", "canary");
    tree_.directory("work", 0777);
    ::chmod(tree_.at("work").c_str(), 0777);
  }
  std::string at(const std::string& name) const { return tree_.at(name); }
  // All but what commands may write to.
  std::map<std::string, std::string> rest() const {
    auto all = test::describe_tree(tree_.path());
    std::erase_if(all,
                  [](const auto& line) { return line.first == "work" || line.first.starts_with("work/"); });
    return all;
  }

  // Runs the program in work/, as `user`.
  Ended run(const Words& words, bool keeps_output = true, uid_t user = ::geteuid()) const {
    static std::atomic<int> count = 0;
    const std::string mine = at(fmt::format("work/{}", count++)), err = mine + ".err";
    const std::string out = keeps_output ? mine + ".out" : "/dev/null";
    const Words environment = {"HOLDFAST_REPOSITORY=" + at("repo"), "HOLDFAST_FROM_PASSWORD=secret",
                               "HOLDFAST_PASSWORD=secret", "HOLDFAST_CACHE_DIR=" + at("work/cache"),
                               "TZ=UTC"};
    std::vector<char*> argv{const_cast<char*>("holdfast")}, envp;
    for (const std::string& word : words) argv.push_back(const_cast<char*>(word.c_str()));
    for (const std::string& word : environment) envp.push_back(const_cast<char*>(word.c_str()));
    argv.push_back(nullptr);
    envp.push_back(nullptr);
    const pid_t child = ::fork();
    if (child == 0) {
      const rlim_t seconds = kSanitized ? 120 : 20;
      const rlimit cpu{seconds, seconds}, file{64 << 20, 64 << 20}, memory{3u << 30, 3u << 30};
      ::setrlimit(RLIMIT_CPU, &cpu);
      ::setrlimit(RLIMIT_FSIZE, &file);
      ::signal(SIGXFSZ, SIG_IGN);
      if (!kSanitized) ::setrlimit(RLIMIT_AS, &memory);
      const bool ready = ::dup2(open_new(out), 1) == 1 && ::dup2(open_new(err), 2) == 2 &&
                         ::chdir(at("work").c_str()) == 0 &&
                         (user == ::geteuid() || (::setgid(user) == 0 && ::setuid(user) == 0));
      if (ready) ::execve(HOLDFAST_BINARY, argv.data(), envp.data());
      ::_exit(127);
    }
    Ended ended;
    int status = 0;
    rusage usage{};
    ::wait4(child, &status, 0, &usage);
    ended.status = WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
    ended.peak_mib = static_cast<std::uint64_t>(usage.ru_maxrss) / 1024;
    if (keeps_output) ended.out = content_of(out);
    ended.err = content_of(err);
    return ended;
  }

 private:
  test::TempTree tree_;
};

bool obeyed_by_a_terminal(const std::string& text) {
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    if ((byte < 0x20 && byte != '\n') || byte == 0x7f) return true;
    if (byte == 0xc2 && i + 1 < text.size() && static_cast<unsigned char>(text[i + 1]) < 0xa0) return true;
    if (text.compare(i, 3, "\xe2\x80\xae") == 0) return true;
  }
  return false;
}

void make_destination(const std::string& path) {
  storage::PosixDisk disk;
  const auto store = std::move(storage::open_local(disk, path, storage::IfMissing::create)).value();
  repo::CreateOptions options;
  options.cost = {1, 8};
  options.specification = "none";
  HF_ASSERT(repo::Repository::create({*store, system_clock(), system_random()}, as_bytes(kEvilPassword),
                                     options, {})
                .ok());
}

void expect(const Machine& machine, const Case& hostile, const std::vector<int>& allowed, const Words& words,
            bool keeps_output = true) {
  SCOPED_TRACE(words.front());
  const Ended ended = machine.run(words, keeps_output);
  EXPECT_NE(std::find(allowed.begin(), allowed.end(), ended.status), allowed.end())
      << "exit " << ended.status << "\n"
      << ended.out.substr(0, 2000) << ended.err.substr(0, 2000);
  if (ended.status != 0) {
    EXPECT_FALSE(ended.err.empty()) << "no word about why";
  }
  if (!kSanitized) {
    EXPECT_LE(ended.peak_mib, hostile.memory_mib);
  }
  EXPECT_FALSE(obeyed_by_a_terminal(ended.out)) << ended.out.substr(0, 2000);
  EXPECT_FALSE(obeyed_by_a_terminal(ended.err)) << ended.err.substr(0, 2000);
}

class Hostile : public ::testing::TestWithParam<std::size_t> {};

TEST_P(Hostile, IsRefusedOrHarmless) {
  const Case& hostile = corpus()[GetParam()];
  const Machine machine;
  {
    EvilWriter evil(machine.at("repo"));
    hostile.build(evil);
    evil.commit();
  }
  make_destination(machine.at("work/copy"));
  const auto before = machine.rest();
  const Expected& expected = hostile.expected;
  const std::string target = machine.at("work/target"), copy = machine.at("work/copy");
  std::thread other([&] {
    expect(machine, hostile, {0}, {"snapshots"});
    expect(machine, hostile, expected.restore, {"restore", "-v", "latest", "--target", target});
    // Over what is there by now, among it whatever links the first one made.
    expect(machine, hostile, expected.restore, {"restore", "latest", "--delete", "--target", target});
    expect(machine, hostile, expected.list, {"ls", "-l", "latest"});
    expect(machine, hostile, expected.list, {"find", "-l", "*"});
  });
  expect(machine, hostile, expected.list, {"diff", "--metadata", "latest~1", "latest"});
  if (hostile.dumps) expect(machine, hostile, expected.dump, {"dump", "latest", "/"}, false);
  expect(machine, hostile, expected.check, {"check", "--read-data"});
  expect(machine, hostile, expected.copy,
         {"copy", "--from-repo", machine.at("repo"), "--repo", copy, "latest"});
  // The honest snapshot beside it is none the worse.
  expect(machine, hostile, {0}, {"restore", "latest~1", "--target", machine.at("work/honest")});
  other.join();
  EXPECT_EQ(content_of(machine.at("work/honest/d/honest")), "honest");
  EXPECT_EQ(machine.rest(), before);
}

std::vector<std::size_t> numbers() {
  std::vector<std::size_t> out(corpus().size());
  for (std::size_t i = 0; i < out.size(); ++i) out[i] = i;
  return out;
}

INSTANTIATE_TEST_SUITE_P(Corpus, Hostile, ::testing::ValuesIn(numbers()),
                         [](const auto& one) { return corpus()[one.param].name; });

// Somebody without rights restores what would give him some.
TEST(HostileAsAUser, GetsNoRights) {
  if (::geteuid() != 0) GTEST_SKIP() << "is a user already";
  const Machine machine;
  {
    EvilWriter evil(machine.at("repo"));
    const model::Child text = evil.put(model::ChunkType::bundle, as_bytes("content"));
    model::Entry suid = evil_file("suid", text, 7);
    suid.attributes.mode = 06755;
    model::Entry device = evil_entry("device", model::FileType::block_device);
    device.device = 0x801;
    evil.add_root(evil.leaf({device, suid}), 0);
    evil.commit();
  }
  ASSERT_EQ(::system(("chmod -R a+rX " + machine.at("repo")).c_str()), 0);
  const Ended ended =
      machine.run({"restore", "latest", "--target", machine.at("work/target")}, true, kNobody);
  EXPECT_EQ(ended.status, 3) << ended.err;
  struct stat st;
  EXPECT_NE(::lstat(machine.at("work/target/device").c_str(), &st), 0);
  ASSERT_EQ(::lstat(machine.at("work/target/suid").c_str(), &st), 0);
  EXPECT_EQ(st.st_mode & 07000, 0u);
  EXPECT_EQ(st.st_uid, kNobody);
}

}  // namespace

}  // namespace holdfast::testing
