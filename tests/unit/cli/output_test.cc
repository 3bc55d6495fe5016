#include "cli/output.h"

#include <unistd.h>

#include <array>
#include <cstdlib>
#include <ctime>
#include <nlohmann/json.hpp>

#include "cli/entry_view.h"
#include "cli/json.h"

namespace holdfast::cli {
namespace {

TEST(Output, Sizes) {
  EXPECT_EQ(size_text(0), "0 B");
  EXPECT_EQ(size_text(1023), "1023 B");
  EXPECT_EQ(size_text(1024), "1.000 KiB");
  EXPECT_EQ(size_text(1536 * 1024), "1.500 MiB");
  EXPECT_EQ(size_text(~std::uint64_t{0}), "16.000 EiB");
}

TEST(Output, TimesAreLocalAndSayTheirZone) {
  ::setenv("TZ", "Europe/Berlin", 1);
  ::tzset();
  EXPECT_EQ(time_text({1785580496, 0}), "2026-08-01T12:34:56+02:00");
  EXPECT_EQ(time_text({-1, 0}), "1970-01-01T00:59:59+01:00");
  ::setenv("TZ", "UTC", 1);
  ::tzset();
  EXPECT_EQ(time_text_exact({1785580496, 5}, 0), "2026-08-01T10:34:56.000000005Z");
  EXPECT_EQ(time_text_exact({1785580496, 0}, -150), "2026-08-01T08:04:56-02:30");
}

TEST(Output, Durations) {
  EXPECT_EQ(duration_text(5), "0:05");
  EXPECT_EQ(duration_text(3599), "59:59");
  EXPECT_EQ(duration_text(3600), "1:00:00");
}

TEST(Output, Modes) {
  model::Attributes attributes;
  attributes.mode = 04751;
  EXPECT_EQ(mode_text(attributes), "-rwsr-x--x");
  attributes = {.type = model::FileType::directory, .mode = 01770, .user = "", .group = "", .xattrs = {}};
  EXPECT_EQ(mode_text(attributes), "drwxrwx--T");
}

TEST(Output, NamesCantSpeakToTheTerminal) {
  EXPECT_EQ(printable("plain name"), "plain name");
  EXPECT_EQ(printable("\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80"), "\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80");
  EXPECT_EQ(printable("a\x1b[31m\n"), "a\\x1b[31m\\x0a");
  EXPECT_EQ(printable("\xff\xc3"), "\\xff\\xc3");
  EXPECT_EQ(printable("\xc2\x9b"
                      "31m"),
            "\\xc2\\x9b31m");                                                 // a C1 control
  EXPECT_EQ(printable("\xc0\xaf\xed\xa0\x80"), "\\xc0\\xaf\\xed\\xa0\\x80");  // overlong; a surrogate
}

TEST(Output, TablesAlign) {
  Table table({"A", "Long", ">N"});
  table.row({"x", "y\nyy", "5"});
  table.row({"\xc3\xa4", "z", "123"});
  EXPECT_EQ(table.text(),
            "A  Long    N\n"
            "------------\n"
            "x  y       5\n"
            "   yy\n"
            "\xc3\xa4  z     123\n");
}

TEST(Output, ReportsAFailedWriteOnce) {
  std::array<int, 2> ends{};
  ASSERT_EQ(::pipe(ends.data()), 0);
  ::close(ends[1]);
  Output out(ends[0]);  // not open for writing
  out.line("lost");
  EXPECT_FALSE(out.finish().ok());
  ::close(ends[0]);
}

TEST(Json, BuildsObjectsInOrder) {
  JsonObject object;
  object.add("text", "a\"\\\n").add("number", std::uint64_t{18446744073709551615u}).add("yes", true);
  object.add("half", 0.5).add("list", std::vector<std::string>{"x", "\xff"}).raw("inner", "{}");
  EXPECT_EQ(object.text(),
            "{\"text\":\"a\\\"\\\\\\n\",\"number\":18446744073709551615,\"yes\":true,\"half\":0.5,"
            "\"list\":[\"x\",\"\xef\xbf\xbd\"],\"inner\":{}}");
  EXPECT_TRUE(nlohmann::json::accept(object.text()));
  EXPECT_EQ(JsonObject().text(), "{}");
}

TEST(Json, EveryByteStringMakesValidJson) {
  for (int byte = 0; byte < 256; ++byte) {
    const std::string text = {'a', static_cast<char>(byte), 'b'};
    EXPECT_TRUE(nlohmann::json::accept(json_string(text))) << byte;
  }
}

TEST(Json, EntriesUseTheWordsOfRestic) {
  model::Entry entry;
  entry.path = "home/ann/notes.txt";
  entry.attributes.mode = 0644;
  entry.size_bytes = 7;
  const auto json = nlohmann::json::parse(entry_json(entry).text());
  EXPECT_EQ(json["name"], "notes.txt");
  EXPECT_EQ(json["path"], "/home/ann/notes.txt");
  EXPECT_EQ(json["type"], "file");
  EXPECT_EQ(json["size"], 7);
  EXPECT_EQ(json["permissions"], "-rw-r--r--");
}

}  // namespace
}  // namespace holdfast::cli
