#include "tools/god33/pages.h"

#include <algorithm>
#include <catch2/catch.hpp>

#include "absl/status/statusor.h"
#include "base/error.h"
#include "tools/god33/event_view.h"
#include "unit/god33/answers.h"

namespace god33::cli {
namespace {

using store::v1::ListEventsRequest;
using store::v1::ListEventsResponse;

// Answers three pages, and keeps the tokens that were asked for.
struct Book {
  std::vector<std::string> asked;

  absl::StatusOr<ListEventsResponse> operator()(const ListEventsRequest& request) {
    asked.push_back(request.page_token());
    if (request.page_token().empty()) return MakePage({1}, "two");
    if (request.page_token() == "two") return MakePage({}, "three");
    return MakePage({3});
  }
};

ListPrinter PrinterTo(Kept& kept) {
  return ListPrinter({.format = Format::kJsonl, .out = kept.out}, *ListEventsResponse::descriptor(),
                     EventView());
}

TEST_CASE("without --all only the page asked for is read") {
  Kept kept;
  ListPrinter printer = PrinterTo(kept);
  Book book;
  const auto last = PrintPages(ListEventsRequest(), false, printer, std::ref(book));
  REQUIRE(last.ok());
  CHECK(last->next_page_token() == "two");
  CHECK(book.asked == std::vector<std::string>{""});
}

TEST_CASE("with --all pages are followed to the end, also through an empty one") {
  Kept kept;
  ListPrinter printer = PrinterTo(kept);
  Book book;
  const auto last = PrintPages(ListEventsRequest(), true, printer, std::ref(book));
  REQUIRE(last.ok());
  CHECK(last->next_page_token().empty());
  CHECK(book.asked == std::vector<std::string>{"", "two", "three"});
  CHECK(std::count(kept.text.begin(), kept.text.end(), '\n') == 2);
}

TEST_CASE("an error on a later page is an error, after what came before it") {
  Kept kept;
  ListPrinter printer = PrinterTo(kept);
  const auto last =
      PrintPages(ListEventsRequest(), true, printer,
                 [](const ListEventsRequest& r) -> absl::StatusOr<ListEventsResponse> {
                   if (r.page_token().empty()) return MakePage({1}, "two");
                   return absl::UnavailableError("gone");
                 });
  CHECK(absl::IsUnavailable(last.status()));
  CHECK_FALSE(kept.text.empty());
}

TEST_CASE("a service that answers the same page for ever is stopped") {
  Kept kept;
  ListPrinter printer = PrinterTo(kept);
  const auto last = PrintPages(ListEventsRequest(), true, printer,
                               [](const ListEventsRequest&) -> absl::StatusOr<ListEventsResponse> {
                                 return MakePage({1}, "again");
                               });
  CHECK(last.status().code() == absl::StatusCode::kInternal);
}

TEST_CASE("paging options reach the request, and a limit only if it is given") {
  ListEventsRequest request;
  SetPaging({.page_token = "t", .min_position = 7}, request);
  CHECK(request.page_token() == "t");
  CHECK(request.min_position() == 7);
  CHECK_FALSE(request.has_limit());
  SetPaging({.limit = 5}, request);
  CHECK(request.limit() == 5);
}

}  // namespace
}  // namespace god33::cli
