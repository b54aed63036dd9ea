# Runs recipes and writes a line of JSON for each resource; task_lines.h reads them. The command `itamae` can't tell:
# its exit code 2 means "changed" and "failed" alike, and it ignores the settings of handlers (1.14). Called with the
# path of the settings: {recipes, node, dry_run, directory, results, scratch, without}.
require 'json'
require 'itamae'

SETTINGS = JSON.parse(File.read(ARGV.fetch(0)))

# Temporary files of the run itself; an environment variable would reach the commands of recipes too.
def Dir.tmpdir
  SETTINGS['scratch']
end

module Mayfly
  class << self
    attr_accessor :last_command

    def write(record)
      @results ||= File.open(SETTINGS['results'], 'a').tap { |file| file.sync = true }
      @results.puts(JSON.generate(record.transform_values { |value| value.is_a?(String) ? utf8(value) : value }))
    end

    def utf8(text)
      text.dup.force_encoding('UTF-8').scrub('?')
    end

    # Itamae only logs what a failed command printed.
    def reason(error)
      command_failed = [error, error.cause].grep(Itamae::Backend::CommandExecutionError).any?
      return error.message unless command_failed && last_command

      shown = [last_command.stderr, last_command.stdout].map { |text| utf8(text).strip }.reject(&:empty?).first
      ["exit code #{last_command.exit_status}", *shown&.lines&.last(3)&.join].join(': ')
    end
  end

  module Command
    def run_command_with_profiling(*arguments)
      super.tap { |result| Mayfly.last_command = result }
    end
  end

  module Resource
    def initialize(recipe, *arguments, &block)
      place = caller_locations.find { |location| location.path == recipe.path }
      @mayfly_where = place ? "#{place.path}:#{place.lineno}" : recipe.path
      super
    end

    def run(*arguments)
      return if @mayfly_where == SETTINGS['without']
      return super if is_a?(Itamae::Definition) # its resources tell for themselves

      started = Time.now.to_f
      @mayfly_status = 'ok'
      begin
        super
      rescue SystemExit, ScriptError, StandardError => error
        @mayfly_status = 'failed'
        raise
      ensure
        predicted = SETTINGS['dry_run'] && @mayfly_status == 'changed' && attributes[:path]
        Mayfly.write(task: "#{resource_type}[#{resource_name}]", status: @mayfly_status, where: @mayfly_where,
                     message: error && Mayfly.reason(error), started: started, ended: Time.now.to_f,
                     predicted: predicted ? [predicted] : [])
        error&.instance_variable_set(:@mayfly_told, true)
      end
    end

    def updated!
      @mayfly_status = 'changed'
      super
    end

    def do_not_run_because_of_only_if?
      super.tap { |skipped| @mayfly_status = 'skipped' if skipped }
    end

    def do_not_run_because_of_not_if?
      super.tap { |skipped| @mayfly_status = 'skipped' if skipped }
    end
  end
end

Itamae::Backend::Base.prepend(Mayfly::Command)
Itamae::Resource::Base.prepend(Mayfly::Resource)
Itamae.logger.level = ::Logger::INFO
$stdout.sync = true

begin
  Itamae::Runner.run(SETTINGS['recipes'], :local, node_json: [SETTINGS['node']], dry_run: SETTINGS['dry_run'],
                                                  tmp_dir: "#{SETTINGS['scratch']}/itamae", shell: '/bin/sh')
rescue ScriptError, StandardError => error
  # A recipe that can't be read.
  unless error.instance_variable_get(:@mayfly_told)
    place = error.backtrace_locations&.find { |location| location.path.start_with?(SETTINGS['directory']) }
    Mayfly.write(task: 'reading the recipes', status: 'failed', where: place && "#{place.path}:#{place.lineno}",
                 message: error.message.lines.first.to_s.strip)
  end
  raise
end
Mayfly.write(finished: true)
