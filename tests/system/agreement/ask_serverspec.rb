# Answers expressions about a container with Serverspec: ask_serverspec.rb ENTER INIT_PID < expressions
#
# One expression of Serverspec's types a line; prints true, false or "error: ..." for each.
require 'serverspec'

ENTER, INIT = ARGV

# Runs every command through mayfly-enter.
module Enter
  def build_command(cmd)
    "#{ENTER.shellescape} --init #{INIT} -- #{super}"
  end
end
Specinfra::Backend::Exec.prepend(Enter)
Specinfra.configuration.backend(:exec)

# Where the expressions are evaluated: file('/x'), service('y'), ...
class Questions
  include Serverspec::Helper::Type

  def ask(expression)
    instance_eval(expression) ? 'true' : 'false'
  rescue StandardError, NotImplementedError => e
    "error: #{e.class} #{e.message.tr("\n", ' ')}"
  end
end

questions = Questions.new
$stdin.each_line { |line| puts questions.ask(line) }
