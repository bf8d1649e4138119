// Runs a command with everything it needs: installs the npm packages when the lockfile is newer than
// they are, and the tools that `--tools` names: packages of Debian, of Python's index (NAME==VERSION), or of
// npm's registry that are no part of the project (NAME@VERSION, with others beside it after a +). Plain JavaScript without dependencies, because it starts on whatever Node is there (20 or
// newer), before anything is installed.
//
//   node .ci/setup.mjs [--tools kcat,python3-pip,confluent-kafka==2.16.1,node@22.18.0] FILE [ARGUMENTS]
//
// FILE is run by the Node of the npm package `node`. All that setup prints goes to standard error.

import { spawn, spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'

const root = resolve(import.meta.dirname ?? new URL('.', import.meta.url).pathname, '..')
const modules = join(root, 'node_modules')
const node = join(modules, 'node', 'bin', 'node')

/** Of packages whose command has another name, that command. */
const commands = { prometheus: 'promtool', systemd: 'systemd-analyze' }

const [tools, command] = parse(process.argv.slice(2))
installPackages()
installTools(tools)
run(command)

function parse(words) {
  const wanted = words[0] === '--tools' ? words.splice(0, 2)[1].split(',') : []
  if (words.length === 0) fail('usage: node .ci/setup.mjs [--tools NAME,...] FILE [ARGUMENTS]')
  return [wanted, words]
}

function installPackages() {
  const lock = modified(join(root, 'package-lock.json'))
  if (lock > modified(join(modules, '.package-lock.json'))) {
    say('installing npm packages (npm ci)')
    const npm = ['ci', '--no-audit', '--no-fund', '--loglevel=error', '--json=false']
    must(spawnSync('npm', npm, { cwd: root, stdio: ['ignore', 2, 2] }), 'npm ci failed')
  }
  // npm may be set to run no install scripts; that of `node` puts the binary where it is looked for.
  if (!existsSync(node)) {
    const script = join(modules, 'node', 'installArchSpecificPackage.js')
    must(
      spawnSync(process.execPath, [script], {
        cwd: join(modules, 'node'),
        stdio: ['ignore', 2, 2],
      }),
      'the npm package `node` could not put a current Node into node_modules',
    )
  }
}

function installTools(names) {
  installDebianTools(names.filter((name) => !/==|@/.test(name)))
  for (const name of names) if (name.includes('==')) installPythonPackage(name)
  for (const name of names) if (name.includes('@')) installNpmPackages(name.split('+'))
}

function installDebianTools(names) {
  const missing = names.filter((name) => !isInstalled(name))
  if (missing.length === 0) return
  if (process.getuid?.() === 0 && existsSync('/etc/debian_version')) {
    say(`installing ${missing.join(', ')} (apt-get)`)
    const options = {
      stdio: ['ignore', 2, 2],
      env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
    }
    spawnSync('apt-get', ['update', '-qq'], options)
    const install = ['install', '-y', '-qq', '--no-install-recommends', ...missing]
    if (spawnSync('apt-get', install, options).status === 0) return
  }
  leaveOut(missing.join(', '), `On Debian or Ubuntu: sudo apt-get install ${missing.join(' ')}`)
}

/**
 * Into a folder of its own below node_modules, at once or not at all: Debian's Python stays as it is,
 * and tests name the folder in PYTHONPATH (test/tools.ts).
 */
function installPythonPackage(requirement) {
  const [name, version] = requirement.split('==')
  const packages = join(modules, '.cache', 'python')
  const folder = join(packages, name)
  const information = `${name.replaceAll('-', '_')}-${version}.dist-info`
  if (existsSync(join(folder, information))) return
  say(`installing ${requirement} (pip)`)
  const work = join(packages, `download-${process.pid}`)
  mkdirSync(packages, { recursive: true })
  const pip = ['-m', 'pip', 'install', '--quiet', '--only-binary', ':all:', '--target']
  const { status } = spawnSync('/usr/bin/python3', [...pip, work, requirement], {
    stdio: ['ignore', 2, 2],
    env: { ...process.env, PIP_ROOT_USER_ACTION: 'ignore', PIP_DISABLE_PIP_VERSION_CHECK: '1' },
  })
  if (status === 0) {
    rmSync(folder, { recursive: true, force: true })
    renameSync(work, folder)
    return
  }
  rmSync(work, { recursive: true, force: true })
  leaveOut(requirement, `By hand: /usr/bin/python3 ${pip.join(' ')} ${folder} ${requirement}`)
}

/**
 * Into a folder of its own below node_modules, named after the first package, at once or not at all. The other
 * versions of Node that the package is tested with come in this way (test/tools.ts), and TypeDoc with the older
 * compiler that it needs.
 */
function installNpmPackages(requirements) {
  const packages = join(modules, '.cache', 'npm')
  const folder = join(packages, requirements[0])
  if (existsSync(folder)) return
  say(`installing ${requirements.join(' ')} (npm)`)
  const work = join(packages, `download-${process.pid}`)
  mkdirSync(work, { recursive: true })
  writeFileSync(join(work, 'package.json'), '{ "private": true }\n')
  const npm = ['install', '--save-exact', '--ignore-scripts', '--no-audit', '--no-fund']
  const words = [...npm, '--loglevel=error', '--json=false', ...requirements]
  const options = { cwd: work, stdio: ['ignore', 2, 2] }
  const isThere = spawnSync('npm', words, options).status === 0 && putBinary(work)
  if (isThere) {
    renameSync(work, folder)
    return
  }
  rmSync(work, { recursive: true, force: true })
  leaveOut(requirements.join(' '), `By hand, in ${folder}: npm ${words.join(' ')}`)
}

/** For the package `node`: its install script downloads what it is about. */
function putBinary(folder) {
  const bin = join(folder, 'node_modules', 'node')
  if (!existsSync(bin)) return true
  const options = { cwd: bin, stdio: ['ignore', 2, 2] }
  return spawnSync(process.execPath, ['installArchSpecificPackage.js'], options).status === 0
}

/** What cannot be installed is missing for good in CI, and elsewhere a reason to run fewer tests. */
function leaveOut(missing, how) {
  if (process.env.CI === 'true') fail(`missing: ${missing}. CI runs every test, so it needs them.`)
  say(`missing: ${missing}. The tests that need them are left out.`)
  say(how)
}

/** A package of Debian's is there by its command, or, when it is a Python module, by that. */
function isInstalled(name) {
  if (!name.startsWith('python3-')) {
    return spawnSync('which', [commands[name] ?? name]).status === 0
  }
  const module = name.slice('python3-'.length)
  return spawnSync('/usr/bin/python3', ['-c', `import ${module}`]).status === 0
}

function run([file, ...words]) {
  const child = spawn(node, [resolve(root, file), ...words], {
    stdio: 'inherit',
    env: { ...process.env, PATH: `${join(modules, '.bin')}:${process.env.PATH}` },
  })
  // A terminal's Ctrl-C reaches the child by itself; what is sent to this process alone is passed on.
  process.on('SIGINT', () => {})
  process.on('SIGTERM', () => child.kill('SIGTERM'))
  child.on('error', (error) => fail(`${node} does not start: ${error.message}`))
  child.on('exit', (code, signal) => {
    process.exitCode = code ?? (signal === 'SIGINT' ? 130 : 1)
  })
}

function modified(path) {
  return existsSync(path) ? statSync(path).mtimeMs : 0
}

function must(result, message) {
  if (result.status !== 0) fail(result.error ? `${message}: ${result.error.message}` : message)
}

function say(text) {
  process.stderr.write(`millrace setup: ${text}\n`)
}

function fail(text) {
  say(text)
  process.exit(1)
}
