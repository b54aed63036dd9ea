#include "mayfly/exec/code_frames.h"

#include <fmt/format.h>

#include <exception>
#include <map>
#include <utility>

#include "mayfly/exec/source_places.h"
#include "mayfly/support/log.h"

namespace mayfly {

void add_places(std::vector<CodeFrame>& frames,
                const std::function<std::optional<std::filesystem::path>(const std::string& object)>& file_of) {
  std::map<std::string, std::vector<CodeFrame*>> by_object;
  for (CodeFrame& frame : frames) {
    if (!frame.object.empty()) by_object[frame.object].push_back(&frame);
  }
  try {
    for (const auto& [object, of_object] : by_object) {
      const std::optional<std::filesystem::path> file = file_of(object);
      if (!file) continue;
      std::vector<std::uint64_t> addresses;
      for (const CodeFrame* frame : of_object) addresses.push_back(frame->offset);
      std::vector<SourcePlace> places = source_places(*file, addresses);
      for (std::size_t i = 0; i < places.size(); ++i) {
        if (!places[i].function.empty()) of_object[i]->function = std::move(places[i].function);
        of_object[i]->place = std::move(places[i].place);
      }
    }
  } catch (const std::exception& error) {
    log(LogLevel::warning, fmt::format("places in a backtrace (best effort): {}", error.what()));
  }
}

std::string line_of(std::size_t number, const CodeFrame& frame) {
  const std::string object = std::filesystem::path(frame.object).filename().string();
  return fmt::format("  #{} {}{} ({}+{:#x})", number, frame.function.empty() ? "??" : frame.function,
                     frame.place.empty() ? "" : " at " + frame.place, object, frame.offset);
}

}  // namespace mayfly
