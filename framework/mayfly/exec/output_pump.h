#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "mayfly/exec/spawn.h"
#include "mayfly/support/deadline.h"

namespace mayfly {

/// The caller's ends of a command's three pipes: feeds stdin and collects the output at the same time, so that neither
/// side waits for the other, until the command itself ends. Children that it leaves behind may hold the pipes for as
/// long as they like.
class OutputPump {
 public:
  using OnOutput = std::function<void(bool is_stderr, std::string_view piece)>;

  using OnPiece = std::function<void(std::string_view piece)>;

  /// Makes the pipes. Those who run as `account` may open them again by name (`/dev/stdout`).
  /// @throws SystemError
  OutputPump(const Target& target, const Account& account, std::string_view stdin_text, const OnOutput& on_output);

  /// The command's ends, for SpawnPlan::stdio; closed by started().
  [[nodiscard]] std::array<int, 3> command_ends() const;
  void started();

  /// Reads another descriptor, which mustn't block, besides.
  void also_read(UniqueFd reader, OnPiece on_piece);

  /// @param end becomes readable at the command's end, as a pidfd does
  /// @return false when the deadline passed first
  [[nodiscard]] bool pump_until(int end, const Deadline& deadline);
  [[nodiscard]] bool pump_until_exit(const ContainerProcess& process, const Deadline& deadline);
  /// Takes what is in the pipes now, and no more: a child left behind may write for ever.
  void drain();

  [[nodiscard]] std::string take_out() { return std::move(out_.text); }
  [[nodiscard]] std::string take_err() { return std::move(err_.text); }

 private:
  struct Stream {
    UniqueFd ours, theirs;
    bool is_stderr = false;
    std::string text{};
    OnPiece on_piece{};
  };
  /// @return how many bytes
  std::size_t read_some(Stream& stream, std::size_t at_most);
  void write_some();

  Stream in_, out_, err_{.is_stderr = true}, other_;
  std::string_view stdin_left_;
  const OnOutput& on_output_;
  std::vector<char> buffer_;
};

}  // namespace mayfly
