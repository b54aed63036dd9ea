include_recipe 'site.rb'

# PLANTED: Itamae runs `not_if` to ask, in a dry run too, and says no more than "skipped" of a resource that it leaves out.
execute 'make the index' do
  command 'courier reindex'
  not_if 'courier up-to-date'
end
