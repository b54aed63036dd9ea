# Writes Puppet's report as JSON; puppet_report.h reads it. Works with Puppet 7 and 8.
require 'json'
require 'puppet'
require 'time'

Puppet::Reports.register_report(:mayfly) do
  desc 'Writes the report as JSON to the file that the environment variable MAYFLY_PUPPET_REPORT names.'

  def process
    path = ENV['MAYFLY_PUPPET_REPORT']
    return unless path

    report = to_data_hash
    said = (report['logs'] || []).group_by { |log| log['source'] }
    kept = {
      'status' => report['status'],
      'transaction_completed' => report['transaction_completed'],
      # Not the hash's: Puppet 8 leaves out there what is unchanged.
      'resources' => resource_statuses.values.compact.map { |status| mayfly_resource(status.to_data_hash, said) },
      'logs' => (report['logs'] || []).map { |log| log.slice('level', 'source', 'message', 'file', 'line') }
    }
    # Read as soon as it is there, so it has to appear whole. What a provider prints needn't be UTF-8.
    File.write("#{path}.tmp", mayfly_utf8(JSON.generate(mayfly_clean(kept))))
    File.rename("#{path}.tmp", path)
  end

  def mayfly_resource(status, said)
    kept = status.slice('resource', 'containment_path', 'file', 'line', 'changed', 'failed', 'failed_to_restart', 'skipped')
    # A refresh (of a service, of an exec with refreshonly) comes after the evaluation's time, and only the log tells it.
    refresh = (said["/#{(status['containment_path'] || []).join('/')}"] || []).reverse.find do |log|
      log['message'].to_s.start_with?("Triggered '", "Would have triggered '")
    end
    kept['refreshed'] = true if refresh
    if status['time']
      kept['started'] = Time.iso8601(status['time']).to_f
      kept['ended'] = refresh ? Time.iso8601(refresh['time']).to_f : kept['started'] + (status['evaluation_time'] || 0)
    end
    # Sensitive values are redacted in the messages by Puppet itself.
    kept.merge('events' => (status['events'] || []).map { |event| event.slice('property', 'status', 'message') })
  end

  def mayfly_clean(value)
    case value
    when Hash then value.to_h { |key, inner| [key.to_s, mayfly_clean(inner)] }
    when Array then value.map { |inner| mayfly_clean(inner) }
    when nil, true, false, Integer, Float then value
    else mayfly_utf8(value.to_s)
    end
  end

  def mayfly_utf8(text)
    text.encode('UTF-8', invalid: :replace, undef: :replace).scrub('?')
  end
end
