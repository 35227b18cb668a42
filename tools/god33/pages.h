#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/error.h"
#include "base/strings.h"
#include "tools/god33/printer.h"

namespace god33::cli {

// Which part of a list is asked for.
struct Paging {
  std::optional<int> limit;
  std::string page_token;
  bool all = false;
  std::int64_t min_position = 0;
};

// Puts it into the request of a List method.
template <typename Request>
void SetPaging(const Paging& paging, Request& request) {
  if (paging.limit) request.set_limit(*paging.limit);
  request.set_page_token(paging.page_token);
  // Some lists are not of the log.
  if constexpr (requires { request.set_min_position(0); }) {
    request.set_min_position(paging.min_position);
  }
}

// For the reader of one page when there are more.
inline std::string HowToGoOn(const std::string& next_page_token) {
  return StrCat("There are more. Go on with: --page-token ", next_page_token,
                " and the same filters; or take --all.");
}

// Prints one page, or with `all` every page up to the end, by a ListPrinter or what has its AddPage and
// Finish. `ask` makes a StatusOr<response> of a
// request. Returns the last response.
template <typename Request, typename Printer, typename Ask>
auto PrintPages(Request request, bool all, Printer& printer, Ask ask) -> decltype(ask(request)) {
  for (;;) {
    auto page = ask(request);
    if (!page.ok()) return page;
    if (absl::Status status = printer.AddPage(*page); !status.ok()) return status;
    const std::string& next = page->next_page_token();
    if (!all || next.empty()) {
      if (absl::Status status = printer.Finish(*page); !status.ok()) return status;
      return page;
    }
    if (next == request.page_token()) {
      return MakeError(absl::StatusCode::kInternal, "INTERNAL",
                       "the service answers one page again");
    }
    request.set_page_token(next);
  }
}

}  // namespace god33::cli
