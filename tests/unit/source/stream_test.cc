#include "source/stream.h"

#include <unistd.h>

#include "source/memory.h"

namespace holdfast::source {
namespace {

// All that comes, or the error.
Result<std::string> read_to_end(Content& content) {
  std::string text;
  Buffer buffer(1000);
  while (true) {
    const std::size_t got = TRY(content.read(text.size(), buffer));
    text += as_text(Bytes(buffer).first(got));
    if (got < buffer.size()) return text;
  }
}

Result<std::string> output_of(const std::vector<std::string>& command) {
  const auto source = TRY(StreamSource::from_command("dump", command, system_clock()));
  Item item;
  const bool given = TRY(source->next(item, {}));
  if (!given) return Error(Errc::failed, "no item");
  const auto content = TRY(source->open(item));
  return read_to_end(*content);
}

TEST(StreamSource, GivesACommandsOutput) {
  EXPECT_EQ(output_of({"echo", "hello"}).value(), "hello\n");
  EXPECT_EQ(output_of({"sh", "-c", "seq 1 100000"}).value().size(), 588895u);
  EXPECT_EQ(output_of({"true"}).value(), "");
}

TEST(StreamSource, AFailedCommandIsAnErrorAtTheEnd) {
  const auto exits = output_of({"sh", "-c", "echo half; exit 3"});
  ASSERT_FALSE(exits.ok());
  EXPECT_NE(exits.error().text().find("status 3"), std::string::npos) << exits.error().text();
  const auto dies = output_of({"sh", "-c", "echo half; kill -9 $$"});
  ASSERT_FALSE(dies.ok());
  EXPECT_NE(dies.error().text().find("signal 9"), std::string::npos) << dies.error().text();
  EXPECT_EQ(output_of({"/no/such/program"}).error().kind(), Errc::not_found);
  EXPECT_EQ(output_of({}).error().kind(), Errc::usage);
}

TEST(StreamSource, AFailedCommandFailsTheSource) {
  const std::vector<std::string> command = {"sh", "-c", "echo half; exit 3"};
  const auto source = std::move(StreamSource::from_command("dump", command, system_clock())).value();
  Item item;
  ASSERT_TRUE(source->next(item, {}).value());
  const auto content = std::move(source->open(item)).value();
  EXPECT_FALSE(read_to_end(*content).ok());
  const auto next = source->next(item, {});
  ASSERT_FALSE(next.ok());
  EXPECT_NE(next.error().text().find("status 3"), std::string::npos) << next.error().text();
}

TEST(StreamSource, ARequestToStopEndsAReadThatWaits) {
  std::stop_source stop;
  const std::vector<std::string> command = {"sleep", "1000000"};
  const auto source = std::move(StreamSource::from_command("dump", command, system_clock())).value();
  Item item;
  ASSERT_TRUE(source->next(item, stop.get_token()).value());
  const auto content = std::move(source->open(item)).value();
  stop.request_stop();
  EXPECT_EQ(read_to_end(*content).error().kind(), Errc::stopped);
  EXPECT_EQ(source->next(item, stop.get_token()).error().kind(), Errc::stopped);
}

TEST(StreamSource, IsOneFileReadOnce) {
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);
  ASSERT_EQ(::write(ends[1], "bytes", 5), 5);
  ::close(ends[1]);
  const auto source = std::move(StreamSource::from_descriptor("a/name", Fd(ends[0]), system_clock())).value();
  Item item;
  ASSERT_TRUE(source->next(item, {}).value());
  EXPECT_EQ(item.entry.path, "a/name");
  EXPECT_EQ(item.entry.attributes.type, model::FileType::regular);
  EXPECT_TRUE(item.stream);
  EXPECT_TRUE(source->complete(item).ok());
  auto content = source->open(item);
  ASSERT_TRUE(content.ok());
  EXPECT_EQ(read_to_end(*content.value()).value(), "bytes");
  EXPECT_EQ(source->open(item).error().kind(), Errc::not_found);
  Item none;
  EXPECT_FALSE(source->next(none, {}).value());
  EXPECT_FALSE(StreamSource::from_descriptor("../x", Fd(), system_clock()).ok());
}

TEST(StreamSource, DroppingItEndsTheCommand) {
  // Would wait for ever otherwise.
  auto source = StreamSource::from_command("dump", {"sleep", "1000000"}, system_clock());
  ASSERT_TRUE(source.ok());
}

MemoryFile memory_file(std::string path, std::string bytes) {
  MemoryFile file;
  file.item.entry.path = std::move(path);
  file.bytes = std::move(bytes);
  return file;
}

TEST(MemorySource, GivesItsFilesInOrder) {
  MemoryFile holed = memory_file("a/b", std::string(10, '\0'));
  holed.bytes[0] = 'x';
  holed.holes = {{1, 4}, {6, 10}};
  MemoryFile denied = memory_file("a", "");
  denied.open_error = Errc::denied;
  MemorySource source({memory_file("a-b", "1"), holed, denied});
  std::vector<std::string> paths;
  Item item;
  while (source.next(item, {}).value()) paths.push_back(item.entry.path);
  EXPECT_EQ(paths, (std::vector<std::string>{"a", "a/b", "a-b"}));
  EXPECT_EQ(item.entry.size_bytes, 1u);

  item.entry.path = "a/b";
  const auto content = std::move(source.open(item)).value();
  using Runs = std::vector<std::pair<std::uint64_t, std::uint64_t>>;
  EXPECT_EQ(content->data_runs(0, 10).value(), (Runs{{0, 1}, {4, 6}}));
  EXPECT_EQ(content->data_runs(2, 5).value(), (Runs{{4, 5}}));
  EXPECT_EQ(read_to_end(*content).value(), holed.bytes);
  item.entry.path = "a";
  EXPECT_EQ(source.open(item).error().kind(), Errc::denied);
  item.entry.path = "nothing";
  EXPECT_EQ(source.open(item).error().kind(), Errc::not_found);
}

}  // namespace
}  // namespace holdfast::source
