#include <gmock/gmock.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <regex>
#include <set>
#include <sstream>
#include <string>
#include <vector>

namespace mayfly {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::Le;
using testing::Not;
using testing::SizeIs;

const std::filesystem::path kFramework = std::filesystem::path(MAYFLY_SOURCE_DIR) / "framework";

std::string read(const std::filesystem::path& path) {
  std::ostringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

std::vector<std::string> first_groups(const std::string& text, const std::regex& pattern) {
  std::vector<std::string> found;
  for (std::sregex_iterator match(text.begin(), text.end(), pattern), end; match != end; ++match) {
    found.push_back((*match)[1]);
  }
  return found;
}

/// The modules, and the programs that are a folder of their own: mayfly-init is mayfly/init.
std::vector<std::string> modules_in_order(const std::string& cmake) {
  return first_groups(cmake, std::regex(R"((?:^|\n)\s*mayfly_add_(?:module\(|program\(mayfly-)(\w+))"));
}

std::vector<std::string> includes_of(const std::string& source) {
  return first_groups(source, std::regex(R"((?:^|\n)\s*#\s*include\s*[<"]([^>"]+)[>"])"));
}

/// "mayfly/layer/overlay.h" -> "layer"; empty for what isn't ours.
std::string module_of(const std::string& include) {
  std::smatch match;
  return std::regex_match(include, match, std::regex(R"(mayfly/(\w+)/.+)")) ? match[1].str() : std::string();
}

/// What a file of `module` includes from modules that `order` lists after it, or doesn't list.
std::vector<std::string> against_order(const std::vector<std::string>& order, const std::string& module,
                                       const std::vector<std::string>& includes) {
  const auto own = std::find(order.begin(), order.end(), module);
  std::vector<std::string> wrong;
  for (const std::string& include : includes) {
    const std::string other = module_of(include);
    if (other.empty() || other == module) continue;
    if (std::find(order.begin(), own, other) == own) wrong.push_back(include);
  }
  return wrong;
}

/// Every source of the framework by its path below framework/.
const std::map<std::string, std::vector<std::string>>& includes_by_file() {
  static const auto files = [] {
    std::map<std::string, std::vector<std::string>> found;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(kFramework / "mayfly")) {
      const auto extension = entry.path().extension();
      if (extension != ".h" && extension != ".cpp" && extension != ".c") continue;
      found[entry.path().lexically_relative(kFramework)] = includes_of(read(entry.path()));
    }
    return found;
  }();
  return files;
}

/// The files that include a header whose path matches `pattern`, header and source of one name counted once.
std::set<std::string> places_that_include(const std::string& pattern) {
  const std::regex header(pattern);
  std::set<std::string> places;
  for (const auto& [file, includes] : includes_by_file()) {
    const bool uses = std::any_of(includes.begin(), includes.end(),
                                  [&](const std::string& include) { return std::regex_search(include, header); });
    if (uses) places.insert(std::filesystem::path(file).replace_extension());
  }
  return places;
}

TEST(ModuleOrder, ReadsTheCallsInTheirOrder) {
  EXPECT_THAT(modules_in_order("# mayfly_add_module(no)\nmayfly_add_module(a X)\n  mayfly_add_module(b\n Y)\n"
                               "mayfly_add_program(mayfly-init STATIC)\n"),
              ElementsAre("a", "b", "init"));
}

TEST(ModuleOrder, FindsAnIncludeOfALaterOrUnknownModule) {
  const std::vector<std::string> includes = includes_of(
      "#include <vector>\n#include \"mayfly/support/error.h\"\n# include \"mayfly/exec/target.h\"\n"
      "#include \"mayfly/nowhere/x.h\"\n// #include \"mayfly/session/session.h\"\n");
  EXPECT_THAT(includes, SizeIs(4));
  EXPECT_THAT(against_order({"support", "layer", "exec"}, "layer", includes),
              ElementsAre("mayfly/exec/target.h", "mayfly/nowhere/x.h"));
}

TEST(Framework, IncludesOnlyModulesListedBefore) {
  const std::vector<std::string> order = modules_in_order(read(kFramework / "CMakeLists.txt"));
  ASSERT_THAT(order, Not(IsEmpty()));
  for (const auto& [file, includes] : includes_by_file()) {
    const std::string module = module_of(file);
    ASSERT_THAT(order, Contains(module)) << file << " belongs to no module";
    EXPECT_THAT(against_order(order, module, includes), IsEmpty())
        << file << " includes modules that framework/CMakeLists.txt doesn't list before '" << module << "'";
  }
}

TEST(Framework, NeverIncludesGoogleTest) { EXPECT_THAT(places_that_include("^(gtest|gmock)/"), IsEmpty()); }

TEST(Framework, FencesForeignInterfacesIntoOnePlaceEach) {
  for (const std::string foreign : {"^lxc/", R"(^toml\+\+/)", "^boost/process"}) {
    EXPECT_THAT(places_that_include(foreign), SizeIs(Le(1u))) << foreign;
  }
}

TEST(PublicHeaders, ShowTheStandardLibraryOnly) {
  const std::string cmake = read(kFramework / "CMakeLists.txt");
  const std::regex foreign(R"(^(boost|fmt|toml\+\+|lxc|openssl|CLI)/)");
  for (const auto& [file, includes] : includes_by_file()) {
    // What no HEADERS list names is private to its module.
    if (!file.ends_with(".h") || cmake.find(std::filesystem::path(file).filename()) == std::string::npos) continue;
    for (const std::string& include : includes) {
      EXPECT_FALSE(std::regex_search(include, foreign)) << file << " includes " << include;
    }
  }
}

}  // namespace
}  // namespace mayfly
