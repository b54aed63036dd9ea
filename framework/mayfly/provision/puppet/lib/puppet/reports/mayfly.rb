# Writes Puppet's report as JSON; puppet_report.h reads it. Works with Puppet 7 and 8.
require 'json'
require 'puppet'

Puppet::Reports.register_report(:mayfly) do
  desc 'Writes the report as JSON to the file that the environment variable MAYFLY_PUPPET_REPORT names.'

  def process
    path = ENV['MAYFLY_PUPPET_REPORT']
    return unless path

    report = to_data_hash
    kept = {
      'status' => report['status'],
      'transaction_completed' => report['transaction_completed'],
      'resources' => (report['resource_statuses'] || {}).values.map { |status| mayfly_resource(status) },
      'logs' => (report['logs'] || []).map { |log| log.slice('level', 'source', 'message', 'file', 'line') }
    }
    # Read as soon as it is there, so it has to appear whole. What a provider prints needn't be UTF-8.
    File.write("#{path}.tmp", mayfly_utf8(JSON.generate(mayfly_clean(kept))))
    File.rename("#{path}.tmp", path)
  end

  def mayfly_resource(status)
    kept = status.slice('resource', 'containment_path', 'file', 'line', 'changed', 'failed', 'failed_to_restart', 'skipped')
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
